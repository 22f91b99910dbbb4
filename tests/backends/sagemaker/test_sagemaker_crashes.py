"""A worker dies right before or after any call to AWS: the next one gets there all the same, and nothing is left."""

from typing import Any

import pytest
from aws_fleet import Fleet, states

from longshore.backends.port import BackendError, CopiesLevel
from longshore.backends.sagemaker.client import Aws

LEVELS = ((2, "end"), (3, "end"), (1, "drain"), (1, "end"), (2, "end"), (0, "end"))
MOST_CALLS = 60
PATIENCE = 12


class Death(Exception):  # noqa: N818 - it is what it is called
    """The worker is gone; whoever comes next knows the notebook alone."""


class Deaths:
    """Kills the worker at one of its calls, once."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.at, self.after, self.seen, self.died = -1, False, 0, False
        call = Aws._call

        def dying(aws: Aws, service: str, operation: str, *more: Any) -> dict[str, Any]:
            self.seen += 1
            dies = self.seen == self.at
            self.died |= dies
            if dies and not self.after:
                raise Death
            answer = call(aws, service, operation, *more)
            if dies:
                raise Death
            return answer

        monkeypatch.setattr(Aws, "_call", dying)

    def arm(self, at: int, *, after: bool) -> None:
        self.at, self.after, self.seen, self.died = at, after, 0, False


async def reach(fleet: Fleet, level: CopiesLevel) -> None:
    """Ask for a level again and again, as an operation does, by another worker after a death."""
    for _ in range(PATIENCE):
        try:
            await fleet.backend.ensure(level)
        except Death:
            fleet.backend = fleet.another_worker()
        except BackendError as error:
            if not error.retryable:
                raise
        else:
            return
        fleet.clock.advance(20)
    pytest.fail(f"{level.copies} copies were never accepted")


@pytest.mark.parametrize("after", [False, True], ids=["before the call", "after it"])
async def test_every_level_is_reached_whichever_call_was_the_last_of_a_worker(
    fleet: Fleet,
    monkeypatch: pytest.MonkeyPatch,
    after: bool,  # noqa: FBT001 - a table
) -> None:
    deaths = Deaths(monkeypatch)
    spec = await fleet.upload("search-1.joblib", b"weights")
    for at in range(1, MOST_CALLS):
        deaths.arm(at, after=after)
        for copies, surplus in LEVELS:
            await reach(fleet, fleet.level(copies, surplus, spec=spec))
            for _ in range(2):  # the second looks at what the first one's death left
                fleet.clock.advance(600)
                try:
                    seen = await fleet.backend.observe()
                except Death:
                    fleet.backend = fleet.another_worker()
                    seen = await fleet.backend.observe()
            ready = states(seen)["ready"]
            assert (at, ready, len(fleet.components())) == (at, copies, min(copies, 1))
            assert seen.differences == ()
        assert fleet.boto.list_models()["Models"] == []
        assert await fleet.store.notes("fleet").pages() == {}
        if not deaths.died:
            return
    pytest.fail(f"it takes more than {MOST_CALLS} calls: die at more of them")
