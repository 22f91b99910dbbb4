"""What the doctor asks the parts of a running stack."""

import asyncio
from datetime import UTC, datetime

import httpx
from temporalio.api.workflowservice.v1 import DescribeNamespaceRequest
from temporalio.client import Client

from longshore.planning.route import acked_revision, required
from longshore.settings import Settings
from longshore.stack.agent import agent_of
from longshore.stack.checking import Check, ill, well
from longshore.stack.parts import SEARCH_ATTRIBUTES
from longshore.stack.signing import role_of_this_machine, signing_check
from longshore.stack.state import StackState
from longshore.stack.temporal import builds, missing_search_attributes
from longshore.store.database import Database
from longshore.store.migrate import current
from longshore.store.store import Store
from longshore.store.traffic import Traffic
from longshore.traffic.admin import Admin
from longshore.traffic.signing import read_signing

_ANSWER_WITHIN = 5.0
_AGAIN = "longshore down, then longshore up"
"""An up of a stack that is up changes nothing; what set-up does is done as the stack starts."""


def part_checks(running: StackState) -> list[Check]:
    """Every part is well, as its supervisor sees it."""
    ailing = [
        ill(name, f"{part.state}: {part.message or 'no word yet'}", f"read logs/{name}.log in LONGSHORE_HOME")
        for name, part in running.parts.items()
        if not part.well
    ]
    restarts = sum(part.restarts for part in running.parts.values())
    return ailing or [well("parts", f"{len(running.parts)} run, {_count(restarts, 'restart')}")]


async def postgres_checks(database_url: str) -> list[Check]:
    """The database answers, and has the tables of this version."""
    have, wanted = await asyncio.to_thread(current, database_url)
    if have != wanted:
        return [ill("postgres", f"migration {have or 'none'}, this version wants {wanted}", _AGAIN)]
    return [well("postgres", f"answers, migration {have}")]


async def temporal_checks(settings: Settings, build_id: str) -> list[Check]:
    """The server answers and knows the namespace, the search attributes and this worker."""
    client = await Client.connect(settings.temporal_address, namespace=settings.temporal_namespace)
    await client.workflow_service.describe_namespace(DescribeNamespaceRequest(namespace=client.namespace))
    checks = [well("temporal", f"{settings.temporal_address} answers, namespace {client.namespace}")]
    missing = await missing_search_attributes(client, SEARCH_ATTRIBUTES)
    if missing:
        checks.append(ill("search attributes", f"missing: {', '.join(missing)}", _AGAIN))
    else:
        checks.append(well("search attributes", f"{len(SEARCH_ATTRIBUTES)} registered"))
    found = await builds(client)
    if found.current != build_id:
        said = f"Temporal gives work to {found.current or 'no build'}, this is {build_id}"
        checks.append(ill("worker", said, _AGAIN))
    else:
        kept = f"; kept alive by operations that began on them: {', '.join(found.draining)}" if found.draining else ""
        checks.append(well("worker", f"build {build_id} is current{kept}"))
    return checks


async def gateway_checks(envoy_admin_url: str, database_url: str) -> list[Check]:
    """Envoy is live, and every gateway runs the newest routes."""
    async with _client() as client:
        live = (await client.get(f"{envoy_admin_url}/ready")).is_success
    if not live:
        return [ill("envoy", "it has no routes yet", "read logs/api.log in LONGSHORE_HOME: the API serves them")]
    return [well("envoy", "is live"), await _ack_check(database_url)]


async def _ack_check(database_url: str) -> Check:
    database = Database.connect(database_url)
    try:
        traffic = Traffic(database)
        gateways, newest = await traffic.gateways(), (await traffic.snapshot()).revision
    finally:
        await database.dispose()
    now = datetime.now(UTC)
    waited_for = required(gateways, now)
    acked = acked_revision(gateways, now)
    for gateway in waited_for:
        if gateway.rejection:
            return ill("routes", f"{gateway.node} refused them: {gateway.rejection}", "read logs/api.log")
        if not gateway.connected:
            return ill("routes", f"{gateway.node} is not connected", "read logs/envoy.log in LONGSHORE_HOME")
    if acked is None:
        return ill("routes", "no gateway is connected", "read logs/envoy.log in LONGSHORE_HOME")
    if acked < newest:
        return ill("routes", f"revision {acked} is live, {newest} is the newest", "wait a moment, then look again")
    return well("routes", f"the newest are live at {_count(len(waited_for), 'gateway')}")


async def signing_checks(database_url: str) -> list[Check]:
    """Every gateway can sign requests to AWS, where there is a target whose models are asked there."""
    database = Database.connect(database_url)
    try:
        store = Store(database)
        if all(target.spec.backend != "sagemaker" for target in await store.targets.list()):
            return []
        gateways = required(await store.traffic.gateways(), datetime.now(UTC))
    finally:
        await database.dispose()
    async with _client() as client:
        reached = [(gateway.node, gateway.admin) for gateway in gateways if gateway.admin]
        found = await asyncio.gather(*(read_signing(Admin(client, node, admin)) for node, admin in reached))
    lacking = any(not one.source for one in found)
    machine_role = await asyncio.to_thread(role_of_this_machine) if lacking else None
    return [signing_check(one, machine_role) for one in found]


async def api_checks(api_url: str) -> list[Check]:
    """The API reaches all it needs."""
    async with _client() as client:
        answer = await client.get(f"{api_url}/readyz")
    if answer.is_success:
        return [well("api", f"{api_url} is ready")]
    return [ill("api", f"it answers {answer.status_code}: {_told(answer)}", "read logs/api.log in LONGSHORE_HOME")]


async def agent_checks(settings: Settings) -> list[Check]:
    """The agent answers, and says which GPUs it found."""
    facts = await agent_of(settings.agent_socket).facts()
    gpus = _count(len(facts.gpus), "GPU") if facts.gpus else "no GPUs: copies that ask for some need declared hosts"
    return [well("agent", f"answers on {settings.agent_socket}, {_count(facts.copies, 'copy', 'copies')}, {gpus}")]


def _client() -> httpx.AsyncClient:
    return httpx.AsyncClient(timeout=_ANSWER_WITHIN, trust_env=False)


def _count(number: int, one: str, many: str | None = None) -> str:
    return f"{number} {one if number == 1 else many or one + 's'}"


def _told(answer: httpx.Response) -> str:
    try:
        problem = answer.json()
        return str(problem.get("missing") or problem.get("detail") or problem.get("title"))
    except (ValueError, AttributeError):
        return answer.text[:200]
