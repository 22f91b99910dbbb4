"""A turn of a rollout: it knows the ladder, the checks and the two versions."""

from longshore.planning.checks import progress
from longshore.planning.rollout_state import RolloutState
from longshore.planning.turn import Turn
from longshore.planning.words import CheckProgress, Progress


class RolloutTurn(Turn[RolloutState]):
    """One decision of a rollout, an undo or an onboarding in the making."""

    @property
    def new(self) -> str:
        """The version that comes."""
        return self.order.new.version

    @property
    def old(self) -> str:
        """The version that goes; an onboarding has none and must not ask."""
        if self.order.old is None:
            raise AssertionError("an onboarding has no old version")
        return self.order.old.version

    @property
    def wanted(self) -> int:
        """Copies of the new version that shall be ready, the batch under way included."""
        return self.state.settled + self.state.size

    def progress(self) -> Progress:
        """What people watch, with the ladder and the checks."""
        bake = self.state.bake
        ends = bake.ends if bake and not self.state.pause else None
        seen = {"batches": self.state.ladder, "checks": self._watched(), "bake_ends": ends}
        return super().progress().model_copy(update=seen)

    def rung(self, state: str) -> None:
        """Change the rung of the batch under way."""
        self.become(
            ladder=tuple(
                step.model_copy(update={"state": state}) if step.number == self.state.batch else step
                for step in self.state.ladder
            )
        )

    def _watched(self) -> tuple[CheckProgress, ...]:
        latest = self.state.bake.latest if self.state.bake else self.state.measured
        return tuple(progress(check, latest.get(check.name)) for check in self.order.spec.rollout.checks)
