"""Whether a freeze holds a rollout."""

from datetime import datetime

from temporalio import activity

from activities.failures import as_failures
from activities.inputs import FreezeInput, FreezeOutput
from activities.measuring import Clock
from longshore.planning.freezes import holding
from longshore.store.store import Store


def scheduled() -> datetime:
    """Now by Temporal's own clock, which also runs the timer of a rollout that waits for a freeze's end."""
    return activity.info().current_attempt_scheduled_time


class FreezeActivities:
    """Answers from the freezes and labels that are stored."""

    def __init__(self, store: Store, clock: Clock) -> None:
        self._store = store
        self._clock = clock

    @activity.defn(name="read_freeze")
    @as_failures
    async def read(self, asked: FreezeInput) -> FreezeOutput:
        """The freeze that holds rollouts of a deployment now, and until when."""
        freezes = {row.name: row.spec for row in await self._store.freezes.list()}
        rows = await self._store.deployments.rows([asked.deployment])
        labels = rows[0].labels if rows else {}
        return FreezeOutput(frozen=holding(freezes, asked.deployment, labels, asked.target, self._clock()))
