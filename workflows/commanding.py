"""The line from a deployment to the operation under way: sequenced commands there, acknowledgements back."""

from collections.abc import Callable
from typing import Any, Protocol

from temporalio import workflow
from temporalio.exceptions import ApplicationError

with workflow.unsafe.imports_passed_through():
    from longshore.planning.deployment.revisions import DeploymentState
    from longshore.planning.operation import Acknowledged, Command, OperationOrder, OperationResult

Child = workflow.ChildWorkflowHandle[OperationOrder, OperationResult]
Change = Callable[[DeploymentState], DeploymentState]


class Remembers(Protocol):
    """Whoever holds a deployment's state: all is asked of and changed in its present one."""

    state: DeploymentState


class Line:
    """Carries commands to the operation under way, whichever that is; one that has ended answers nothing."""

    def __init__(self, deployment: Remembers) -> None:
        self._deployment = deployment
        self._child: Child | None = None
        self._begun = 0
        """Number of the operation that was last begun."""
        self._acknowledged: dict[int, Acknowledged] = {}
        self._then: dict[int, Change] = {}
        """What becomes of the state once the operation has accepted the command with this sequence."""

    def open(self, number: int, child: Child | None) -> None:
        """Operation `number` has begun, or was found; without a child nobody can talk to it."""
        self._acknowledged.clear()  # answers that nobody waited for, of operations before this one
        self._child = child
        self._begun = number

    def close(self) -> None:
        """It has ended."""
        self._child = None

    def runs(self, number: int) -> bool:
        """Whether operation `number` is under way, as far as the deployment has heard."""
        under_way = self._deployment.state.operation
        return under_way is not None and under_way.number == number

    async def begun(self, number: int) -> None:
        """Wait until operation `number` has begun."""
        await workflow.wait_condition(lambda: self._begun >= number)

    async def end_of(self, number: int) -> None:
        """Wait until operation `number` has ended."""
        await workflow.wait_condition(lambda: not self.runs(number))

    async def ask(self, number: int, *, then: Change | None = None, **command: Any) -> Acknowledged | None:
        """Send a command to operation `number` and hear what it says; None when it ended without answering.

        Args:
            number: of the operation that is meant.
            then: what becomes of the deployment's state if it accepts.
            command: fields of the `Command`, without its sequence.
        """
        sequence = await self.send(number, then=then, **command)
        if sequence is None:
            return None
        await workflow.wait_condition(lambda: sequence in self._acknowledged or not self.runs(number))
        self._then.pop(sequence, None)
        return self._acknowledged.pop(sequence, None)

    async def send(self, number: int, *, then: Change | None = None, **command: Any) -> int | None:
        """Send a command to operation `number`; its sequence, or None when that operation is not there any more."""
        await workflow.wait_condition(lambda: self._begun >= number or not self.runs(number))
        child = self._child
        if child is None or not self.runs(number):
            return None
        sequence = self._deployment.state.signals + 1
        self._deployment.state = self._deployment.state.model_copy(update={"signals": sequence})
        if then is not None:
            self._then[sequence] = then
        try:
            await child.signal("control", Command(sequence=sequence, **command))
        except ApplicationError:
            self._then.pop(sequence, None)
            return None
        return sequence

    def hear(self, acknowledged: Acknowledged) -> None:
        """Take the operation's word; what it accepted to become counts at once, for it may end the next moment."""
        then = self._then.pop(acknowledged.sequence, None)
        if then is not None and acknowledged.accepted:
            self._deployment.state = then(self._deployment.state)
        self._acknowledged[acknowledged.sequence] = acknowledged
