"""The schema's history, run by `longshore.store.migrate`."""
