"""Tables, repositories and the serving ledger."""

from longshore.store.store import Store

__all__ = ["Store"]
