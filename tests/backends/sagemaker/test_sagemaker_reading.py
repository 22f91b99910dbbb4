"""How many calls it takes to see what is on an endpoint."""

from collections import Counter

from aws_fleet import Fleet


async def test_all_components_of_an_endpoint_are_listed_in_one_call(fleet: Fleet, calls: Counter[str]) -> None:
    names = {f"search-{number}" for number in range(12)}  # more than a page has that is not asked for by its size
    for name in names:
        await fleet.ensure(1, deployment=name, model=name)
    fleet.clock.advance(60)
    calls.clear()
    observed = await fleet.backend.observe()
    assert {copy.deployment for copy in observed.copies} == names
    assert calls["ListInferenceComponents"] == 1
