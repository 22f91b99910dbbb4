"""Copies are ended once their requests are done: at their addresses, or at the service that they are behind."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import pytest

from longshore.planning.observed import Copy, CopyState, Observation, Upstream
from longshore.planning.operation import (
    Decision,
    Drained,
    Draining,
    DrainReport,
    Ensure,
    Facts,
    OperationOrder,
    State,
    VersionFacts,
)
from longshore.planning.turn import Turn
from longshore.planning.words import OperationKind
from longshore.spec.deployment import DeploymentSpec
from longshore.spec.model_version import Resources

T0 = datetime(2026, 1, 1, tzinfo=UTC)
UNTIL = T0 + timedelta(seconds=60)
ORDER = OperationOrder(
    id="digits/scale-2",
    deployment="digits",
    number=2,
    kind=OperationKind.SCALE,
    target="fleet",
    model="m",
    actor="ada",
    revision=1,
    spec=DeploymentSpec.model_validate({"target": "fleet", "model": "m", "version": "1", "copies": 0}),
    new=VersionFacts(version="1", resources=Resources()),
)
SERVICE = Upstream(deployment="digits", version="1", address="a.example:443", host="a.example", path="/endpoints/a")


@dataclass(frozen=True)
class Case:
    """Copies of version 1 that are being brought down to a level."""

    copies: tuple[tuple[CopyState, str | None], ...]
    drain: DrainReport | None = None
    """What was read of their requests; None before that."""
    level: int = 0
    service: bool = False
    late: bool = False


def decided(case: Case) -> Decision | None:
    """What is done about them now."""
    observation = Observation(
        target="fleet",
        sequence=1,
        at=T0,
        hosts=(),
        copies=tuple(
            Copy(id=f"1-{n}", deployment="digits", model="m", version="1", host="h", state=state, address=address)
            for n, (state, address) in enumerate(case.copies)
        ),
        upstreams=(SERVICE,) if case.service else (),
    )
    now = UNTIL if case.late else T0
    facts = Facts(now=now, answered=True, observation=observation, drain=case.drain)
    state = State(draining=Draining(version="1", level=case.level, until=UNTIL), levels={"1": case.level})
    return Turn(ORDER, state, facts).drain_to("1", case.level)


READY, DRAINING = CopyState.READY, CopyState.DRAINING
BUSY, IDLE = DrainReport(acked=True, in_flight=1), DrainReport(acked=True, in_flight=0)
UNHEARD = DrainReport(acked=False, in_flight=0)
WHOLE, ADDRESS = ((DRAINING, None), (DRAINING, None)), ((DRAINING, "a:1"),)
ASK_WHOLE, ASK_ADDRESS = Drained(addresses=(), versions=("1",)), Drained(addresses=("a:1",))
LOOK_LATER, END = None, "end"


@pytest.mark.parametrize(
    ("case", "done"),
    [
        pytest.param(Case(ADDRESS), ASK_ADDRESS, id="a copy with an address is asked for there"),
        pytest.param(Case(ADDRESS, BUSY), LOOK_LATER, id="it is waited for"),
        pytest.param(Case(ADDRESS, IDLE), END, id="and ended when its requests are done"),
        pytest.param(Case(ADDRESS, BUSY, late=True), END, id="or when that takes too long"),
        pytest.param(Case(WHOLE, service=True), ASK_WHOLE, id="a version behind a service is asked for as a whole"),
        pytest.param(Case(WHOLE, BUSY, service=True), LOOK_LATER, id="it is waited for, too"),
        pytest.param(Case(WHOLE, UNHEARD, service=True), LOOK_LATER, id="until the gateways know that it drains"),
        pytest.param(Case(WHOLE, IDLE, service=True), END, id="and it is ended when its requests are done, too"),
        pytest.param(Case(WHOLE, BUSY, service=True, late=True), END, id="or when that takes too long, too"),
        pytest.param(
            Case((*WHOLE, (READY, None)), level=1, service=True),
            END,
            id="where some stay, the service spares the others",
        ),
        pytest.param(Case(WHOLE), END, id="of copies that are nowhere there is nothing to ask"),
    ],
)
def test_draining_copies_are_waited_for(case: Case, done: Drained | str | None) -> None:
    decision = decided(case)
    assert decision is not None
    if done is LOOK_LATER:
        assert (decision.actions, decision.wait_until) == ((), T0 + timedelta(seconds=1))
    elif done == END:
        (action,) = decision.actions
        assert isinstance(action, Ensure)
        assert (action.version, action.copies, action.surplus) == ("1", case.level, "end")
    else:
        assert decision.actions == (done,)
