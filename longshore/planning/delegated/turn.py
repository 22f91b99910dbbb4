"""A turn of a delegated update: it knows the two versions, and which of them the platform is asked for."""

from typing import Final

from longshore.planning.delegated.policy import native_policy
from longshore.planning.delegated.state import DelegatedState
from longshore.planning.native import NativePolicy, Shift
from longshore.planning.operation import VersionFacts, Warm
from longshore.planning.rollout.strategy import Taken
from longshore.planning.turn import Turn
from longshore.planning.words import Progress

STRATEGIES: Final[dict[Shift, Taken]] = {
    "rolling": "rolling",
    "allAtOnce": "blueGreen",
    "canary": "canary",
    "linear": "canary",
}


class DelegatedTurn(Turn[DelegatedState]):
    """One decision of an update in the making that the platform carries out."""

    @property
    def old(self) -> VersionFacts:
        """The version that served before."""
        if self.order.old is None:
            raise AssertionError("a first version is not delegated")
        return self.order.old

    @property
    def goal(self) -> VersionFacts:
        """The version that the platform is asked for."""
        return self.old if self.state.returning else self.order.new

    @property
    def before(self) -> VersionFacts:
        """The other one."""
        return self.order.new if self.state.returning else self.old

    @property
    def copies(self) -> int | None:
        """Copies that the platform is asked for; None where its autoscaler chooses them."""
        if self.spec.scaling is not None:
            return None
        return self.order.copies_before if self.state.returning else self.spec.copies

    @property
    def policy(self) -> NativePolicy:
        """How the platform is asked to go about it."""
        return native_policy(self.spec.rollout, self.spec.copies)

    @property
    def strategy(self) -> Taken:
        """What our own strategies call the way that the platform takes."""
        return STRATEGIES[self.policy.shift]

    @property
    def warm(self) -> Warm | None:
        """What is kept warm now."""
        return self.state.warm

    def progress(self) -> Progress:
        """What people watch: the copies as observed; how far the batches are, only the platform knows."""
        return super().progress().model_copy(update={"strategy": self.strategy})
