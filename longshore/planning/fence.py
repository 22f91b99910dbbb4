"""The fence: what makes a late retry harmless."""

from longshore.spec.base import Value


class Fence(Value):
    """Orders the writes on one deployment: a lower pair than the highest seen is refused."""

    operation: int
    step: int

    def __lt__(self, other: "Fence") -> bool:
        return (self.operation, self.step) < (other.operation, other.step)


class FenceRefusedError(Exception):
    """A write came from an older step than one already carried out; nothing was changed."""
