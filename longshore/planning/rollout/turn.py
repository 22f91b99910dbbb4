"""A turn of a rollout: it knows the ladder, the checks and the two versions."""

from longshore.planning import outside
from longshore.planning.checks import progress
from longshore.planning.operation import OperationOrder, Warm
from longshore.planning.rollout.legs import Course, ladder, steps_of
from longshore.planning.rollout.state import RolloutState
from longshore.planning.turn import Turn
from longshore.planning.words import BatchProgress, CheckProgress, Phase, Progress
from longshore.spec.deployment import DeploymentSpec, RolloutPolicy


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
    def versions(self) -> tuple[str, ...]:
        """Both, or the only one of an onboarding."""
        return (self.new, self.old) if self.order.old else (self.new,)

    @property
    def spec(self) -> DeploymentSpec:
        """What is desired now."""
        return self.state.spec or self.order.spec

    @property
    def policy(self) -> RolloutPolicy:
        """How the present batch goes."""
        return self.spec.rollout

    @property
    def copies(self) -> int:
        """Desired copies now."""
        return self.spec.copies

    @property
    def before(self) -> int:
        """Copies that a way back restores: as many as there were, or as many as are asked for since."""
        return self.order.copies_before if self.state.restores is None else self.state.restores

    @property
    def warm(self) -> Warm | None:
        """What is kept warm now."""
        return self.state.warm

    @property
    def keeps(self) -> bool:
        """Whether the old copies are kept warm when it has succeeded (rule 6)."""
        return self.order.old is not None and self.course.whole and self.policy.keep_warm > 0

    @property
    def failed(self) -> Phase:
        """What its end is called when the new version is not good enough."""
        return Phase.ROLLED_BACK if self.order.old else Phase.FAILED

    @property
    def wanted(self) -> int:
        """Copies of the new version that shall be ready, the batch under way included."""
        return self.state.settled + self.state.size

    @property
    def course(self) -> Course:
        """What decides the legs from here on."""
        return course_of(self.order, self.state)

    def laid(self, done: tuple[BatchProgress, ...], size: int | None = None) -> tuple[BatchProgress, ...]:
        """The ladder from here on, after the batches that are done."""
        state = self.state
        return ladder(self.course, state.level, done=done, settled=state.settled, step=state.steps_done, size=size)

    def takes(self, version: str) -> bool:
        """Whether levels of this version undo what somebody else changed of it; on the way back see `meddling`."""
        if self.state.way_back is None:
            return super().takes(version)
        changed = self.facts.changed(version)
        return bool(changed) and (version == self.new or outside.of_copies(changed))

    def progress(self) -> Progress:
        """What people watch, with the ladder and the checks."""
        bake = self.state.bake
        ends = bake.ends if bake and not self.state.pause else None
        strategy = self.state.strategy if self.order.old else None
        seen = {
            "strategy": strategy,
            "batches": self.state.ladder,
            "checks": self._watched(),
            "bake_ends": ends or self.state.stands_until,
        }
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
        bake = self.state.bake or self.state.vigil
        latest = {**self.state.measured, **(bake.latest if bake else {})}
        return tuple(progress(check, latest.get(check.name)) for check in self.policy.checks)


def course_of(order: OperationOrder, state: RolloutState) -> Course:
    """What decides the legs of a rollout."""
    spec = state.spec or order.spec
    return Course(
        policy=spec.rollout,
        copies=spec.copies,
        whole=order.old is None or state.strategy == "blueGreen",
        steps=steps_of(order.spec.rollout) if state.strategy == "canary" and order.old else (),
        skip=state.skip,
    )
