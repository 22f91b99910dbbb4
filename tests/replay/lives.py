"""The lives whose histories are kept: together they know every operation, every verb and every activity."""

from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta

from world import NAME, TARGET, EventType, World, version_spec

from longshore.backends.simulated.outside import Stranger
from longshore.planning.requests import Answer
from longshore.spec.freeze import FreezeSpec

DEPLOYMENT = f"deployment/{NAME}"
CHECKED = {"bake": "10s", "checks": [{"name": "errors", "metric": "error-rate", "max": 0.01}]}
HALVES = {"strategy": "canary", "bake": "5s", "steps": [{"weight": 50}, {"approval": {"roles": ["approver"]}}]}


async def plain(world: World) -> None:
    """Onboard behind a smoke test, roll out, roll back, undo, scale, retire."""
    world.behave("3", error_rate=0.3)
    await world.register("4", server={"smoke": {"path": "/v2/health/live"}})
    await world.ended(await world.apply("4", copies=1))
    await world.ended(await world.apply("2", copies=1, **CHECKED))
    await world.ended(await world.apply("3", copies=1, **CHECKED))
    await world.ended(await world.ask("undo"))
    await world.ended(await world.ask("scale", copies=2))
    await world.ended(await world.ask("retire"))


async def canary(world: World) -> None:
    """A canary that is approved, paused, resumed and promoted."""
    await world.ended(await world.apply("1", copies=2))
    answer = await world.apply("2", copies=2, **HALVES)
    await world.until(EventType.APPROVAL_ASKED)
    await world.ask("approve", roles=("approver",))
    await world.ask("pause")
    await world.ask("resume")
    await world.until(EventType.TRAFFIC_SHIFTED, batch=2)
    await world.ask("promote", full=True)
    await world.ended(answer)


async def warm(world: World) -> None:
    """Blue/green, an undo to warm copies, and those that are warm then given up: when due, and when in the way."""
    policy = {"strategy": "blueGreen", "bake": "5s", "keepWarm": "60s"}
    await world.ended(await world.apply("1", copies=1, **policy))
    await world.ended(await world.apply("2", copies=1, **policy))
    await world.ended(await world.ask("undo"))
    await world.until(EventType.WARM_RELEASED)
    await world.ended(await world.apply("3", copies=1, **policy))
    await world.client.get_workflow_handle(DEPLOYMENT).signal("give_up_warm")
    await world.ended(await world.apply("1", copies=1, bake="0s"))


async def superseded(world: World) -> None:
    """A newer version on the way."""
    await under_way(world)
    await world.apply("3", copies=2, bake="0s")
    await world.ended_at(3)


async def revised(world: World) -> None:
    """Other copies and another policy on the way, then an abort and another try."""
    answer = await under_way(world)
    await world.ask("scale", copies=3)
    await world.apply("2", copies=3, bake="1s")
    await world.ask("abort")
    await world.ended(answer)
    await world.ended(await world.ask("retry"))


async def frozen(world: World) -> None:
    """A freeze, overridden."""
    await world.ended(await world.apply("1", copies=1))
    now = await world.env.get_current_time()
    window = {"from": _minute(now - timedelta(hours=1)), "until": _minute(now + timedelta(hours=3))}
    spec = {"reason": "sales peak", "deployments": [NAME], "targets": [TARGET], "windows": [window]}
    await world.store.freezes.put("sale", FreezeSpec.model_validate(spec), "ada")
    answer = await world.apply("2", copies=1, bake="0s")
    await world.until(EventType.ROLLOUT_BLOCKED)
    await world.ask("override", reason="closes a leak")
    await world.ended(answer)


async def retired(world: World) -> None:
    """Retired on the way."""
    await under_way(world)
    await world.ended(await world.ask("retire"))


async def lost(world: World) -> None:
    """A deployment that a person ended behind our back, begun anew."""
    await under_way(world)
    await world.client.get_workflow_handle(DEPLOYMENT).terminate("by hand")
    async with world.skipping():
        again = await world.apply("3", copies=2, bake="0s")
    await world.ended(again)


async def failed(world: World) -> None:
    """A way back that fails, and is taken again from where things stand."""
    await world.ended(await world.apply("1", copies=2, deadline="5s"))
    await world.apply("2", copies=2, bake="1m", deadline="5s")
    await world.until(EventType.TRAFFIC_SHIFTED, batch=2, revision=2)
    world.behave("1", never_ready=True)
    await world.ask("abort")
    await world.ended_at(2)
    world.behave("1", never_ready=False)
    await world.ended(await world.ask("abort"))


async def meddled(world: World) -> None:
    """Something that was there before is taken over, changed by somebody else, adopted, changed again, put right."""
    world.fleet.outside.strangers["theirs"] = Stranger(spec=version_spec(), copies=2)
    await world.ended(await world.adopt("1", 2, "theirs"))
    await world.meddle("1", copies=3)
    await world.ended(await world.adopt("1", 3, "theirs", before="1"))
    await world.meddle("1", deleted=True)
    await world.ended(await world.apply("1", copies=3, take=True))


async def delegated(world: World) -> None:
    """An update that the platform carries out, and one that it rolls back."""
    handed = {"delegate": "sagemaker", "batch": "50%", "bake": "5s"}
    world.fleet.platform.rolls_back["3"] = None
    await world.ended(await world.apply("1", copies=2, **handed))
    await world.ended(await world.apply("2", copies=2, **handed))
    await world.ended(await world.apply("3", copies=2, **handed))


async def autoscaled(world: World) -> None:
    """The copies are the autoscaler's to choose: handed on by a rollout, and taken away with the policy."""
    policy = {"min": 1, "max": 3, "goal": 5}
    await world.ended(await world.apply("1", copies=1, scaling=policy))
    await world.ended(await world.apply("2", copies=1, scaling=policy, bake="0s"))
    await world.ended(await world.apply("2", copies=2, bake="0s"))


async def under_way(world: World) -> Answer:
    """A first version, and a second whose first batch bakes."""
    await world.ended(await world.apply("1", copies=2))
    answer = await world.apply("2", copies=2, bake="10h")
    await world.until(EventType.TRAFFIC_SHIFTED, batch=1, revision=2)
    return answer


def _minute(instant: datetime) -> str:
    return f"{instant:%Y-%m-%dT%H:%M}"


_LIVES = (plain, canary, warm, superseded, revised, frozen, retired, lost, failed, meddled, delegated, autoscaled)
LIVES: dict[str, Callable[[World], Awaitable[None]]] = {live.__name__: live for live in _LIVES}
