"""What a plan says is what then happens: the same batches, room, readiness and time, on any fleet."""

import sys
from pathlib import Path

from hypothesis import HealthCheck, assume, given, settings
from hypothesis import Phase as Phases
from hypothesis import strategies as st
from pydantic import ValidationError

sys.path.insert(0, str(Path(__file__).parent))

from executed import Execution

from longshore.planning.plans.rehearsed import UnplannableError, plans_of
from longshore.planning.words import Phase
from longshore.spec.rehearsal import RehearsalSpec

FLEETS = settings(
    max_examples=300,
    deadline=None,
    derandomize=True,
    phases=[Phases.explicit, Phases.generate, Phases.shrink],
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much],
)
percents = st.sampled_from(["10%", "25%", "40%", "100%"])
amounts = st.one_of(st.integers(min_value=1, max_value=4), percents)
seconds = st.sampled_from([0, 1, 2.5, 4])


@st.composite
def policies(draw: st.DrawFn) -> dict[str, object]:
    strategy = draw(st.sampled_from(["auto", "rolling", "rolling", "canary", "blueGreen"]))
    policy = {
        "strategy": strategy,
        "batch": draw(amounts),
        "maxUnavailable": draw(st.one_of(st.integers(min_value=0, max_value=3), percents)),
        "bake": draw(seconds),
        "deadline": draw(st.sampled_from([3, 60, 60, 60])),
        "checks": draw(st.sampled_from([[], [{"name": "errors", "metric": "error-rate", "max": 0.01, "interval": 1}]])),
    }
    if strategy in {"auto", "blueGreen"}:
        policy["keepWarm"] = draw(st.sampled_from([0, 0, 5]))
    if strategy == "canary":
        weights = draw(st.lists(st.integers(1, 100), unique=True, max_size=3).map(sorted))
        pauses: list[dict[str, object]] = [{"pause": 2}, {"pause": {}}, {"approval": {"roles": ["approver"]}}]
        steps: list[dict[str, object]] = []
        for weight in weights:
            copies = {"copies": draw(amounts)} if draw(st.booleans()) else {}
            steps += [{"weight": weight, **copies}, *draw(st.lists(st.sampled_from(pauses), max_size=2))]
        policy["steps"] = steps
    return policy


@st.composite
def rehearsals(draw: st.DrawFn) -> RehearsalSpec:
    """A fleet of a few hosts, up to two deployments on it, and an apply to one of them or to a third."""
    hosts = draw(st.lists(st.tuples(st.integers(2, 8), st.sampled_from([16, 40])), min_size=1, max_size=3))
    needs = [
        {"accelerators": draw(accelerators), "acceleratorMemoryGiB": draw(st.sampled_from([0, 0, 24]))}
        for accelerators in (st.sampled_from([0, 1, 1, 2]), st.sampled_from([0, 1, 1, 2, 3]))
    ]
    given_ = {
        name: {"model": "m", "version": "1", "copies": draw(st.integers(0, 6)), "rollout": draw(policies())}
        for name in draw(st.sampled_from([("it",), ("it",), ("it", "other"), ("other", "it"), ("other",)]))
    }
    apply: dict[str, object] = {"at": 0, "do": "apply", "deployment": "it", "model": "m"}
    apply["version"] = draw(st.sampled_from(["2", "2", "2", "1"]))
    if draw(st.booleans()) or "it" not in given_:
        apply["copies"] = draw(st.integers(0, 7))
    if "it" not in given_:
        apply["rollout"] = draw(policies())
    try:
        return RehearsalSpec.model_validate(
            {
                "hosts": [
                    {"name": f"h{number}", "accelerators": accelerators, "acceleratorMemoryGiB": memory}
                    for number, (accelerators, memory) in enumerate(hosts)
                ],
                "given": given_,
                "versions": {
                    version: {"startup": draw(seconds), "resources": need, "sideBySide": draw(st.integers(0, 5)) > 0}
                    for version, need in zip("12", needs, strict=True)
                },
                "timeline": [apply],
            }
        )
    except ValidationError:
        assume(False)
        raise


@FLEETS
@given(rehearsals())
def test_a_plan_is_what_then_happens(spec: RehearsalSpec) -> None:
    try:
        (plan,) = plans_of(spec)
    except UnplannableError:
        assume(False)
        raise
    assume(plan.operation is not None)

    done = Execution(spec).run()

    if done.blocked is not None:
        assert not plan.fits
        assert plan.reason.startswith(done.blocked)
        assert plan.unplaced > 0
        return
    assert plan.fits
    assert plan.unplaced == 0
    assert (plan.peak_accelerators, plan.extra_accelerators) == (done.peak, done.peak - done.before)
    assert (plan.lowest_ready, plan.estimated_seconds) == (done.lowest or 0, done.seconds)
    assert plan.extra_accelerator_seconds == done.extra
    assert done.result
    if done.result.phase is Phase.SUCCEEDED:
        assert [(batch.add, batch.remove, batch.weight) for batch in plan.batches] == done.batches
    else:
        assert plan.reason.startswith(f"would end {done.result.phase}")
