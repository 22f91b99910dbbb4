"""What Longshore needs of a Temporal server: search attributes, and this version of the worker as the current one."""

import asyncio
from dataclasses import dataclass
from datetime import timedelta

from temporalio.api.enums.v1 import IndexedValueType, VersionDrainageStatus
from temporalio.api.operatorservice.v1 import AddSearchAttributesRequest, ListSearchAttributesRequest
from temporalio.api.workflowservice.v1 import (
    DescribeWorkerDeploymentRequest,
    SetWorkerDeploymentCurrentVersionRequest,
)
from temporalio.client import Client
from temporalio.service import RPCError, RPCStatusCode

from longshore.stack.errors import StackError

WORKER_DEPLOYMENT = "longshore"
"""Name of the Worker Deployment whose versions are the builds of the worker."""

_ASK_EVERY = 0.25
_CALL_WITHIN = 5.0


@dataclass(frozen=True)
class Builds:
    """Builds of the worker as Temporal knows them."""

    current: str | None
    known: frozenset[str]
    draining: tuple[str, ...]
    """Builds that operations started on and still need: a long pause keeps one alive."""


async def missing_search_attributes(client: Client, wanted: dict[str, str]) -> dict[str, str]:
    """Those of the wanted search attributes (name → type) that the namespace lacks.

    Raises:
        RPCError: the server did not answer.
    """
    request = ListSearchAttributesRequest(namespace=client.namespace)
    answer = await client.operator_service.list_search_attributes(request, timeout=_timeout())
    return {name: kind for name, kind in wanted.items() if name not in answer.custom_attributes}


async def ensure_search_attributes(client: Client, wanted: dict[str, str]) -> None:
    """Register the search attributes that the namespace lacks.

    Raises:
        StackError: the server does not let us.
        RPCError: the server did not answer.
    """
    missing = await missing_search_attributes(client, wanted)
    if not missing:
        return
    request = AddSearchAttributesRequest(
        namespace=client.namespace,
        search_attributes={name: _kind(kind) for name, kind in missing.items()},
    )
    try:
        await client.operator_service.add_search_attributes(request, timeout=_timeout())
    except RPCError as error:
        if error.status not in {RPCStatusCode.PERMISSION_DENIED, RPCStatusCode.UNIMPLEMENTED}:
            raise
        listed = ", ".join(f"{name} ({kind})" for name, kind in missing.items())
        raise StackError(
            f"Temporal does not let us register search attributes in namespace {client.namespace}",
            f"have its administrator add {listed}",
        ) from None


async def builds(client: Client) -> Builds:
    """The worker's builds; none are known until one has polled.

    Raises:
        RPCError: the server did not answer.
    """
    request = DescribeWorkerDeploymentRequest(namespace=client.namespace, deployment_name=WORKER_DEPLOYMENT)
    try:
        answer = await client.workflow_service.describe_worker_deployment(request, timeout=_timeout())
    except RPCError as error:
        if error.status == RPCStatusCode.NOT_FOUND:
            return Builds(None, frozenset(), ())
        raise
    info = answer.worker_deployment_info
    draining = VersionDrainageStatus.VERSION_DRAINAGE_STATUS_DRAINING
    return Builds(
        current=info.routing_config.current_deployment_version.build_id or None,
        known=frozenset(version.deployment_version.build_id for version in info.version_summaries),
        draining=tuple(
            version.deployment_version.build_id
            for version in info.version_summaries
            if version.drainage_status == draining
        ),
    )


async def make_current(client: Client, build_id: str, within: float) -> bool:
    """Make a build of the worker the current one, once it has polled; whether it was not.

    Until then a versioned worker gets no task. Operations that run stay on the build that they began on.

    Raises:
        StackError: no worker of that build polled within so many seconds.
        RPCError: the server did not answer, or refused it.
    """
    deadline = asyncio.get_running_loop().time() + within
    while True:
        found = await builds(client)
        if found.current == build_id:
            return False
        if build_id in found.known:
            break
        if asyncio.get_running_loop().time() > deadline:
            raise StackError(
                f"no worker of build {build_id} asked Temporal for work in {within:.0f} s",
                "read the worker's log, logs/worker.log in LONGSHORE_HOME",
            )
        await asyncio.sleep(_ASK_EVERY)
    request = SetWorkerDeploymentCurrentVersionRequest(
        namespace=client.namespace, deployment_name=WORKER_DEPLOYMENT, build_id=build_id, identity="longshore up"
    )
    await client.workflow_service.set_worker_deployment_current_version(request, timeout=_timeout())
    return True


def _kind(name: str) -> "IndexedValueType.ValueType":
    return IndexedValueType.Value(f"INDEXED_VALUE_TYPE_{name.upper()}")


def _timeout() -> timedelta:
    return timedelta(seconds=_CALL_WITHIN)
