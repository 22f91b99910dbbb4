"""What a deployment remembers: its revisions, what is under way, what waits, and what was answered."""

from typing import Literal

from longshore.planning.operation import Doubt, OperationOrder, VersionFacts, Warm
from longshore.planning.requests import Answer, operation_id
from longshore.planning.words import OperationKind, Phase
from longshore.spec.base import Value
from longshore.spec.deployment import DeploymentSpec

REVISIONS_KEPT = 50
"""Revisions that the workflow carries, the stable one and the one under way among them; the store keeps all."""
ANSWERS_KEPT = 200
"""Idempotency keys carried over a continue-as-new, which forgets update ids."""


class Revision(Value):
    """One accepted desired state."""

    number: int
    facts: VersionFacts
    spec: DeploymentSpec
    phase: Phase = Phase.PENDING
    held: bool = False
    """Rolled back, aborted, superseded or failed: nothing automatic applies it again, `retry` does."""
    actor: str
    reason: str | None = None

    @property
    def version(self) -> str:
        """The model version this revision serves."""
        return self.facts.version


class Waiting(Value):
    """A desired state that was accepted while something else was under way, and is brought about after it."""

    facts: VersionFacts
    spec: DeploymentSpec
    actor: str
    revision: int | None = None
    """Its own, Pending. None: it is of the stable version, whose revision it changes."""


class Answered(Value):
    """A request that was answered, by its idempotency key."""

    key: str
    answer: Answer


class DeploymentState(Value):
    """All that a deployment remembers."""

    name: str
    labels: dict[str, str] = {}
    spec: DeploymentSpec | None = None
    """Today's desired state, its version the stable one (or the first, while none is stable)."""
    revisions: tuple[Revision, ...] = ()
    stable: int | None = None
    operation: OperationOrder | None = None
    """Under way, with the desired state as it was last revised."""
    waiting: Waiting | None = None
    """Begins once the operation under way has ended; there is none without one."""
    warm: Warm | None = None
    """Copies kept for an instant undo, until they are due or an operation uses them up."""
    last_operation: str | None = None
    """The one that people are shown: giving up warm copies is not among them."""
    operations: int = 0
    """The highest operation number; it never begins anew, for it is half of the fence."""
    sequence: int = 0
    """Grows with every row that is written."""
    signals: int = 0
    retired: bool = False
    doubt: int | None = None
    """A revision whose operation left two versions serving: only its retry and the way back go on from there."""
    off_scale: bool = False
    """Whether the last scale did not come to its number: the same number may be asked for again."""
    autoscaled: bool = False
    """Whether the target's autoscaler may have a policy of it."""
    answered: tuple[Answered, ...] = ()

    def revision(self, number: int | None) -> Revision | None:
        """A revision by its number."""
        return next((revision for revision in self.revisions if revision.number == number), None)

    @property
    def stable_revision(self) -> Revision | None:
        """The revision that last succeeded."""
        return self.revision(self.stable)

    @property
    def newest(self) -> Revision | None:
        """The revision with the highest number."""
        return max(self.revisions, key=lambda revision: revision.number, default=None)

    @property
    def releasing(self) -> bool:
        """Whether warm copies are being given up: everybody waits for that, for it is nobody's wish."""
        return self.operation is not None and self.operation.kind is OperationKind.RELEASE

    @property
    def under_way(self) -> OperationOrder | None:
        """The operation under way that somebody asked for."""
        return None if self.releasing else self.operation

    def answer_to(self, key: str) -> Answer | None:
        """What a key was answered before."""
        return next((answered.answer for answered in self.answered if answered.key == key), None)

    def with_answer(self, key: str, answer: Answer) -> "DeploymentState":
        """Remember an answer for its key."""
        kept = (*self.answered, Answered(key=key, answer=answer))[-ANSWERS_KEPT:]
        return self.model_copy(update={"answered": kept})

    def with_revision(self, revision: Revision) -> "DeploymentState":
        """Add a revision, or put it in the place of the one with its number."""
        others = [known for known in self.revisions if known.number != revision.number]
        ordered = sorted([*others, revision], key=lambda known: known.number)
        needed = {self.stable, self.operation.revision if self.operation else None}
        oldest = ordered[-REVISIONS_KEPT:][0].number
        kept = tuple(known for known in ordered if known.number >= oldest or known.number in needed)
        return self.model_copy(update={"revisions": kept})

    def with_copies(self, copies: int) -> "DeploymentState":
        """Desire another number of copies of the stable version."""
        stable = self.stable_revision
        if self.spec is None or stable is None:
            return self
        spec = self.spec.model_copy(update={"copies": copies})
        return self.with_revision(stable.model_copy(update={"spec": spec})).model_copy(update={"spec": spec})


class Ask(Value):
    """A command for the operation under way that an accepted request needs."""

    verb: Literal["abort", "supersede", "revise"]
    spec: DeploymentSpec | None = None
    """revise: the same version with other copies or another policy. Nothing is accepted before the operation did."""


class Accepted(Value):
    """A request that is carried out; `state.operation` is the operation it started, if `answer.operation` is set."""

    state: DeploymentState
    answer: Answer
    ask: Ask | None = None
    unstarted: tuple[Revision, ...] = ()
    """Revisions that waited and now never start."""


def unchanged(state: DeploymentState, message: str, operation: str | None, revision: int | None) -> Accepted:
    """There is nothing to do."""
    return Accepted(state=state, answer=Answer(changed=False, message=message, operation=operation, revision=revision))


def start(  # noqa: PLR0913 - an operation is of that many things
    state: DeploymentState,
    kind: OperationKind,
    actor: str,
    revision: Revision,
    old: Revision | None,
    *,
    doubt: Doubt | None = None,
) -> Accepted:
    """Begin an operation, with the next number."""
    number = state.operations + 1
    order = OperationOrder(
        id=operation_id(state.name, kind, number),
        deployment=state.name,
        number=number,
        kind=kind,
        target=revision.spec.target,
        model=revision.spec.model,
        actor=actor,
        revision=revision.number,
        spec=revision.spec,
        new=revision.facts,
        old=old.facts if old else None,
        old_revision=old.number if old else None,
        old_copies=old.spec.copies if old else None,
        warm=state.warm,
        doubt=doubt,
        versions=tuple(sorted({known.version for known in state.revisions})),
        autoscaled=state.autoscaled,
        old_scaling=old.spec.scaling if old else None,
    )
    started = state.model_copy(
        update={
            "operation": order,
            "last_operation": state.last_operation if kind is OperationKind.RELEASE else order.id,
            "operations": number,
            "sequence": state.sequence + 1,
            "autoscaled": state.autoscaled or order.spec.scaling is not None,
        }
    )
    answer = Answer(changed=True, message=f"{order.id} started", revision=revision.number, operation=order.id)
    return Accepted(state=started, answer=answer)


def ordered(accepted: Accepted, **told: object) -> Accepted:
    """The same, with more told to the operation that it begins."""
    order = accepted.state.operation
    if order is None:
        return accepted
    operation = order.model_copy(update=told)
    return accepted.model_copy(update={"state": accepted.state.model_copy(update={"operation": operation})})


def scale_to(state: DeploymentState, stable: Revision, spec: DeploymentSpec, actor: str) -> Accepted:
    """Begin a scale of the stable revision."""
    current = stable.model_copy(update={"spec": spec})
    changed = state.with_revision(current).model_copy(update={"spec": spec})
    return start(changed, OperationKind.SCALE, actor, current, old=stable)


def roll_to(state: DeploymentState, revision: Revision, actor: str, *, undo: bool = False) -> Accepted:
    """Begin to bring the deployment to a revision, from the stable one or from nothing; what is in doubt goes first."""
    stable = None if state.retired else state.stable_revision
    kind = OperationKind.ONBOARD if stable is None else OperationKind.ROLLBACK if undo else OperationKind.ROLLOUT
    changes: dict[str, object] = {"retired": False}
    if stable is None:
        changes |= {"spec": revision.spec, "stable": None, "warm": None}
    changed = state.model_copy(update=changes).with_revision(revision)
    again: Doubt | None = None if state.doubt is None or state.retired else "again"
    return start(changed, kind, actor, revision, old=stable, doubt=again)


def go_back(state: DeploymentState, actor: str) -> Accepted | None:
    """Begin the way back from an operation that left two versions serving; None when there was none."""
    revision = state.revision(state.doubt)
    if revision is None or state.retired:
        return None
    stable = state.stable_revision
    kind = OperationKind.ROLLOUT if stable else OperationKind.ONBOARD
    return start(state, kind, actor, revision, old=stable, doubt="return")


def next_number(state: DeploymentState) -> int:
    """Of the next revision."""
    return state.newest.number + 1 if state.newest else 1


def change_stable(state: DeploymentState, spec: DeploymentSpec, actor: str) -> Accepted:
    """Give the stable revision other copies by a scale, or another policy at once.

    Raises:
        ValueError: there is no stable revision.
    """
    stable = state.stable_revision
    if stable is None:
        raise ValueError(f"{state.name} has no stable revision to change")
    if state.spec is None or state.off_scale or _scales(state.spec, spec):
        return scale_to(state, stable, spec, actor)
    current = stable.model_copy(update={"spec": spec})
    changed = state.with_revision(current).model_copy(update={"spec": spec, "sequence": state.sequence + 1})
    answer = Answer(changed=True, message="labels or policy changed", revision=stable.number)
    return Accepted(state=changed, answer=answer)


def _scales(before: DeploymentSpec, after: DeploymentSpec) -> bool:
    """Whether there is something to do about the copies: by us, or by telling the autoscaler that chooses them."""
    if before.scaling != after.scaling:
        return True
    return after.scaling is None and before.copies != after.copies
