"""What the store says when it cannot: one line each, never with a password in it."""


class StoreError(Exception):
    """Base of all errors of the store."""


class StoreUnavailableError(StoreError):
    """The database did not answer, or not in time; nothing was written, and trying again can help."""


class ConflictError(StoreError):
    """What was asked contradicts what is stored; nothing was written."""


class NotFoundError(StoreError):
    """The thing that was named is not stored."""


class NotObservedError(StoreError):
    """The target was never read, so nobody knows what it holds; trying again can help."""
