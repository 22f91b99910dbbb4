"""What a level asks of SageMaker, as tables; and that asking again and again ends there, whoever dies in between."""

import itertools
from datetime import timedelta

import pytest
from aws_examples import NOON, after, component, level, page
from hypothesis import given
from hypothesis import strategies as st

from longshore.backends.port import BackendError, CopiesLevel
from longshore.backends.sagemaker.pages import VersionPage
from longshore.backends.sagemaker.seen import Component
from longshore.backends.sagemaker.steps import Call, needs_look, step, without_look

NEW = page(0, level=0, ours=(), made=False, had=0, asked_at=None)


@pytest.mark.parametrize(
    ("asked", "noted", "seen", "call", "count"),
    [
        pytest.param(level(2), NEW, None, Call.CREATE, 2, id="a new version is made with its copies"),
        pytest.param(level(0), NEW, None, Call.NONE, 0, id="nothing is made for no copies"),
        pytest.param(level(4), page(3), component(3), Call.COUNT, 4, id="more copies are another count"),
        pytest.param(level(2, "drain"), page(3), component(3), Call.NONE, 3, id="draining copies stay until they end"),
        pytest.param(level(2), page(3, level=2), component(3), Call.COUNT, 2, id="copies that drained end"),
        pytest.param(level(3), page(3, level=2), component(3), Call.NONE, 3, id="draining copies are taken back"),
        pytest.param(level(0), page(3), component(3), Call.DELETE, 0, id="no copies are no component"),
        pytest.param(level(0), page(3), component(3, 1, "Creating"), Call.DELETE, 0, id="one that starts may be ended"),
        pytest.param(
            level(0),
            page(0, ours=(3, 0), asked_at=after(-1)),
            component(3),
            Call.DELETE,
            0,
            id="a deletion that died before the call is made after all",
        ),
        pytest.param(level(0), page(3), None, Call.NONE, 0, id="what is gone is not ended again"),
        pytest.param(level(4), page(3), component(7), Call.NONE, 4, id="another's count is left alone"),
        pytest.param(
            level(4, take=True), page(3), component(7), Call.COUNT, 4, id="and overwritten by a person's word"
        ),
        pytest.param(level(3), page(3), None, Call.NONE, 3, id="what another deleted stays deleted"),
        pytest.param(level(3, take=True), page(3), None, Call.CREATE, 3, id="and is made again by a person's word"),
        pytest.param(
            level(4), page(4, ours=(3,)), component(3), Call.COUNT, 4, id="an attempt that died before the call goes on"
        ),
        pytest.param(
            level(4), page(4, ours=(3,)), component(4), Call.NONE, 4, id="one that died after it makes no second call"
        ),
        pytest.param(
            level(2), page(2, made=False, ours=()), component(2), Call.NONE, 2, id="nor does one that made it"
        ),
        pytest.param(
            level(1), page(2), component(2, 0, "Failed"), Call.DELETE, 0, id="one that never came to be is made anew"
        ),
        pytest.param(
            level(2),
            page(2, operation=1),
            component(2, 0, "Failed"),
            Call.NONE,
            2,
            id="but not for the same count in the operation that it failed in",
        ),
        pytest.param(
            level(2), page(2), component(2, 0, "Failed"), Call.DELETE, 0, id="one that failed before it is made anew"
        ),
        pytest.param(
            level(2),
            page(0, ours=(2, 0), operation=1, asked_at=after(-60)),
            component(2, 0, "Failed"),
            Call.DELETE,
            0,
            id="also by whoever comes after one that died before the call",
        ),
        pytest.param(
            level(4),
            page(4),
            component(4, 2, "Failed"),
            Call.COUNT,
            4,
            id="one that failed while some copies serve is asked for the others again",
        ),
        pytest.param(
            level(3), page(3, scaled=True), component(5), Call.COUNT, 3, id="an autoscaled count is no stranger's"
        ),
        pytest.param(
            level(3), page(3, scaled=True), None, Call.NONE, 3, id="what another deleted is not the autoscaler's doing"
        ),
        pytest.param(
            level(3),
            page(3, asked_at=after(-5)),
            component(2),
            Call.COUNT,
            3,
            id="a change that is not described yet may be asked for twice",
        ),
    ],
)
def test_a_level_is_one_change(
    asked: CopiesLevel, noted: VersionPage, seen: Component | None, call: Call, count: int
) -> None:
    taken = step(asked, noted, seen, NOON)
    assert (taken.call, taken.page.count) == (call, count)


def test_a_changed_specification_is_restored_by_a_persons_word_alone() -> None:
    wanted = {"Container": {"Image": "serve:1"}}
    found = {"Container": {"DeployedImage": {"SpecifiedImage": "serve:9"}}}
    noted, seen = page(3, specification=wanted), component(3, specification=found)
    assert step(level(3), noted, seen, NOON).call is Call.NONE
    assert step(level(4), noted, seen, NOON).call is Call.COUNT
    assert step(level(4, take=True), noted, seen, NOON).call is Call.RESTORE


@pytest.mark.parametrize(
    "seen",
    [component(3, status="Updating"), component(3, status="Creating"), component(3, status="Deleting")],
    ids=lambda seen: seen.status,
)
def test_a_component_that_is_being_changed_is_asked_later(seen: Component) -> None:
    with pytest.raises(BackendError, match=seen.name) as told:
        step(level(5), page(3), seen, NOON)
    assert (told.value.reason, told.value.retryable) == ("ComponentBusy", True)


def test_copies_that_begin_to_drain_cost_no_call() -> None:
    there = component(3)
    assert not needs_look(level(2, "drain"), page(3), there)
    assert not needs_look(level(3), page(3), there)
    assert needs_look(level(2), page(3), there)
    assert needs_look(level(4, "drain"), page(3), there)
    assert needs_look(level(3), page(3, ours=(2,)), there)
    assert needs_look(level(3), page(3, made=False), there)
    assert needs_look(level(3, take=True), page(3), there)


def test_an_operation_looks_once_whether_what_was_made_before_it_failed() -> None:
    for shown in (None, component(3, 0, "Failed")):
        assert needs_look(level(3), page(3), shown)
        assert not needs_look(level(3), page(3, operation=1), shown)


class Account:
    """Just enough of SageMaker: one component, whose changes take two looks, and which tells of them late."""

    def __init__(self) -> None:
        self.found: Component | None = None
        self.history: list[Component | None] = [None]
        self.made = 0
        self.refused = 0

    def call(self, wanted: Call, count: int) -> None:
        if wanted is Call.DELETE:
            self.found = None
        elif wanted is Call.CREATE:
            self.made += self.found is None
            self.found = self.found or component(count, 0, "Creating")
        elif self.found is not None:
            self.found = component(count, self.found.current, "Updating")
        self.history.append(self.found)

    def tick(self) -> None:
        if self.found is not None and self.found.moving:
            self.found = component(self.found.desired)
        self.history.append(self.found)

    def describe(self, stale: int) -> Component | None:
        return self.history[max(0, len(self.history) - 1 - stale)]


class Worker:
    """Carries levels out as `Components` does, and may die at any of four places."""

    def __init__(self) -> None:
        self.account = Account()
        self.page = NEW
        self.now = NOON

    def attempt(self, asked: CopiesLevel, dies: int, stale: int) -> bool:
        self.now += timedelta(seconds=1)
        if not needs_look(asked, self.page, self.account.describe(stale)):
            self.page = without_look(asked, self.page)
            return True
        try:
            taken = step(asked, self.page, self.account.describe(stale), self.now)
        except BackendError:
            return False
        if dies == 1:
            return False
        self.page = taken.begun(self.now)
        if dies == 2:
            return False
        if taken.call is not Call.NONE:
            if taken.call is Call.CREATE and self.account.found is not None:
                return False  # its name is taken, by ourselves
            if taken.call is Call.COUNT and (self.account.found is None or self.account.found.moving):
                return False
            self.account.call(taken.call, taken.page.count)
        if dies == 3:
            return False
        self.page = taken.done(self.now)
        return not taken.anew

    def settle(self, asked: CopiesLevel) -> None:
        """Ask the same again until it is done, a little more apart than SageMaker is late."""
        for _ in range(20):
            self.account.tick()
            self.now += timedelta(seconds=31)
            if self.attempt(asked, 0, 0) and (self.account.found is None or not self.account.found.moving):
                return
        pytest.fail(f"{asked.copies} copies were never reached: {self.page}, {self.account.found}")


attempts = st.tuples(
    st.integers(0, 4), st.sampled_from(["drain", "end"]), st.integers(0, 3), st.integers(0, 2), st.booleans()
)


@given(st.lists(attempts, max_size=25), st.integers(0, 4))
def test_whoever_dies_wherever_the_last_level_is_reached_and_nothing_is_made_twice(
    tried: list[tuple[int, str, int, int, bool]], last: int
) -> None:
    worker = Worker()
    for copies, surplus, dies, stale, ticks in tried:
        worker.attempt(level(copies, surplus), dies, stale)
        if ticks:
            worker.account.tick()
    worker.settle(level(last))
    found = worker.account.found
    assert (found.desired if found else 0) == last
    assert worker.page.level == last
    assert not last or (worker.page.made and worker.page.settled == last)
    deletions = sum(
        after is None and before is not None for before, after in itertools.pairwise(worker.account.history)
    )
    assert worker.account.made <= deletions + 1
