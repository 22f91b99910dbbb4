"""What the tests of the API have in common: a world to look at, and what a problem must look like."""

import socket
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime

import httpx

from longshore.planning.fence import Fence
from longshore.planning.observed import Copy, CopyState, Observation, ObservedHost
from longshore.planning.route import Route
from longshore.planning.words import Event, EventType, OperationKind, Phase
from longshore.spec.deployment import DeploymentSpec
from longshore.spec.target import TargetSpec
from longshore.store.records import DeploymentRow, LedgerChange, OperationRow, Record, RevisionRow
from longshore.store.store import Store

NOW = datetime(2026, 5, 4, 12, 0, tzinfo=UTC)
DEADLINE = 30.0
Eventually = Callable[[Callable[[], bool | Awaitable[bool]]], Awaitable[None]]
Seed = Callable[..., Awaitable[None]]


def free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


def problem(answer: httpx.Response, status: int, reason: str) -> dict[str, object]:
    """The problem that an answer must be."""
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    content: dict[str, object] = answer.json()
    assert content["status"] == status
    assert content["reason"] == reason
    assert content["type"].startswith("urn:longshore:problem:")  # type: ignore[attr-defined]
    assert content["title"]
    assert content["detail"]
    assert content["instance"] == f"urn:longshore:request:{answer.headers['x-request-id']}"
    return content


TARGET = {"kind": "Target", "metadata": {"name": "workstation"}, "spec": {"backend": "local"}}


def version(label: str, digest: str = "a") -> dict[str, object]:
    return {
        "kind": "ModelVersion",
        "metadata": {"model": "digits", "version": label},
        "spec": {
            "artifact": {"uri": f"file:///srv/{label}.joblib", "digest": f"sha256:{digest * 64}"},
            "server": {"command": ["serve"]},
        },
    }


def deployment(name: str = "digits", label: str = "1", **spec: object) -> dict[str, object]:
    return {
        "kind": "Deployment",
        "metadata": {"name": name},
        "spec": {"target": "workstation", "model": "digits", "version": label} | spec,
    }


async def applied(client: httpx.AsyncClient, *documents: dict[str, object], key: str | None = None) -> httpx.Response:
    headers = {"Idempotency-Key": key} if key else {}
    return await client.post("/v1/apply", json={"documents": documents}, headers=headers)


def spec(**changes: object) -> DeploymentSpec:
    return DeploymentSpec.model_validate(
        {"target": "workstation", "model": "digits", "version": "1", "copies": 2} | changes
    )


async def seed_deployment(
    store: Store, name: str = "digits", *, labels: dict[str, str] | None = None, **row: object
) -> None:
    """Write a deployment with two ready copies of version 1 and all traffic on them, as its parts would."""
    await store.targets.put("workstation", TargetSpec(backend="local"), "ada")
    operation = OperationRow(
        id=f"{name}/onboard-1",
        deployment=name,
        number=1,
        kind=OperationKind.ONBOARD,
        model="digits",
        target="workstation",
        to_revision=1,
        to_version="1",
        strategy="rolling",
        phase=Phase.SUCCEEDED,
        actor="ada",
        started_at=NOW,
        ended_at=NOW,
        step=1,
        progress={
            "batches": [{"number": 1, "add": 2, "remove": 0, "weight": 100, "state": "done"}],
            "peak_accelerators": 2,
        },
    )
    deployment = DeploymentRow.model_validate(
        {
            "name": name,
            "target": "workstation",
            "model": "digits",
            "labels": labels or {},
            "spec": spec(),
            "revision": 1,
            "version": "1",
            "operation": operation.id,
            "sequence": 1,
            "updated_at": NOW,
        }
        | row
    )
    await store.record(
        Record(
            source=operation.id,
            step=1,
            events=tuple(
                Event(at=NOW, deployment=name, type=one, revision=1, actor="ada", message=one.value)
                for one in (EventType.ROLLOUT_STARTED, EventType.ROLLOUT_SUCCEEDED)
            ),
            operation=operation,
            deployment=deployment,
            revisions=(
                RevisionRow(
                    deployment=name, number=1, version="1", spec=spec(), phase=Phase.SUCCEEDED, actor="ada", at=NOW
                ),
            ),
            ledger=LedgerChange(at=NOW, deployment=name, model="digits", shares={"1": 100}, cause="batch 1"),
        )
    )
    await store.fleet.save_observation(observation(name, 2))
    revision = await store.traffic.publish_route(
        Route(deployment=name, model="digits", weights={"1": 100}), Fence(operation=1, step=1)
    )
    await store.traffic.gateway_seen("gateway-a", None, connected=True)
    await store.traffic.gateway_acked("gateway-a", revision)


def observation(deployment: str, ready: int) -> Observation:
    """Some ready copies of version 1."""
    return Observation(
        target="workstation",
        sequence=1,
        at=NOW,
        deployment=deployment,
        hosts=(ObservedHost(name="a", accelerators=4, accelerator_memory_gib=40),),
        copies=tuple(
            Copy(
                id=f"{deployment}-1-{number}",
                deployment=deployment,
                model="digits",
                version="1",
                host="a",
                accelerators=(number,),
                address=f"127.0.0.1:{9000 + number}",
                state=CopyState.READY,
                started_at=NOW,
                ready_at=NOW,
            )
            for number in range(ready)
        ),
    )
