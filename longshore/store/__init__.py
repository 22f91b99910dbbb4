"""Tables, repositories and the serving ledger."""
