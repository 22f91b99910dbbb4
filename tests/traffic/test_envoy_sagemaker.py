"""Versions behind SageMaker's runtime, on a real Envoy: every request is signed as botocore would, and none is lost."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest
from runtime_rig import BEHAVIOUR, COMPONENT, ENDPOINT, KEY_ID, REGION, SECRET, Runtime, component, self_made
from temporalio.testing import ActivityEnvironment
from traffic_rig import Answer, ModelServer, Rig, Surroundings, ask, rig_of, until

from activities.inputs import DrainedInput
from activities.routes import RouteActivities
from longshore.planning.observed import CopyState
from longshore.planning.operation import DrainReport
from longshore.spec.target import TargetSpec
from longshore.stack.live_checks import signing_checks
from longshore.stack.surroundings import credentials
from longshore.store.database import Database
from longshore.store.store import Store
from longshore.traffic.admin import Admin
from longshore.traffic.bootstrap import Machine
from longshore.traffic.signing import Signing, read_signing

NO_ONE = {"AWS_EC2_METADATA_DISABLED": "true", "AWS_SHARED_CREDENTIALS_FILE": "/nowhere", "AWS_PROFILE": "none"}
"""An environment in which nobody finds credentials, whatever the machine of the tests has."""
SOMEONE = {**NO_ONE, "AWS_ACCESS_KEY_ID": KEY_ID, "AWS_SECRET_ACCESS_KEY": SECRET, "AWS_SESSION_TOKEN": ""}


@pytest.fixture
async def runtime() -> AsyncIterator[Runtime]:
    """SageMaker's runtime, without TLS."""
    async with Runtime() as runtime:
        yield runtime


@pytest.fixture
async def signing(store: Store, tmp_path: Path) -> AsyncIterator[Rig]:
    """An Envoy that has credentials."""
    async with rig_of(store, tmp_path, "gateway-1", surroundings=Surroundings(environment=SOMEONE)) as rig:
        yield rig


async def test_any_post_reaches_the_component_and_is_signed(signing: Rig, runtime: Runtime) -> None:
    await _serve(signing, runtime, {"1": 100})
    for path in ("/v2/models/digits/infer", "/v1/chat/completions", "/", "", "/invocations"):
        answer = await _post(signing, path)
        said = answer.json()
        assert (answer.status, said["wrong"], said["path"]) == (200, "", f"{ENDPOINT}/invocations")
        assert said["headers"][COMPONENT.lower()] == "digits-1"
        assert said["headers"]["host"] == runtime.address
        assert answer.headers["x-longshore-version"] == "1"


async def test_what_a_client_signed_itself_with_does_not_reach_aws(signing: Rig, runtime: Runtime) -> None:
    await _serve(signing, runtime, {"1": 100})
    theirs = {
        "authorization": "Bearer of-a-client",
        "x-amz-date": "20000101T000000Z",
        "x-amz-security-token": "of-a-client",
        "x-amz-content-sha256": "UNSIGNED-PAYLOAD",
        COMPONENT: "another-component",
        "x-amzn-sagemaker-custom-attributes": "a 100% b",
    }
    answer = await _post(signing, "/x", **theirs)
    said = answer.json()["headers"]
    assert (answer.status, answer.json()["wrong"]) == (200, "")
    assert "of-a-client" not in str(said)
    assert said[COMPONENT.lower()] == "digits-1"
    assert said["x-amzn-sagemaker-custom-attributes"] == "a 100% b"


async def test_only_what_sagemaker_knows_is_passed_on(signing: Rig, runtime: Runtime) -> None:
    await _serve(signing, runtime, {"1": 100})
    refused = await signing.get("/v2/health/ready")
    assert (refused.status, refused.headers["x-longshore-reason"]) == (405, "MethodNotAllowed")
    assert refused.headers["allow"] == "POST"
    refused = await signing.get("/x", x_longshore_version="1")
    assert (refused.status, refused.headers["x-longshore-reason"]) == (405, "MethodNotAllowed")
    unknown = await _post(signing, "/x", **{"x-longshore-version": "7"})
    assert (unknown.status, unknown.headers["x-longshore-reason"]) == (404, "UnknownVersion")
    assert not runtime.seen


async def test_a_stream_is_passed_on_as_it_comes(signing: Rig, runtime: Runtime) -> None:
    await _serve(signing, runtime, {"1": 100})
    for path in ("/invocations-response-stream", "/v1/invocations-response-stream"):
        answer = await _post(signing, path)
        assert (answer.status, answer.body) == (200, b"part " * 10)
    assert not runtime.refused


@pytest.mark.parametrize("chunk", [None, 70_000])
async def test_large_bodies_are_signed_whole(signing: Rig, runtime: Runtime, chunk: int | None) -> None:
    await _serve(signing, runtime, {"1": 100})
    answer = await ask(signing.envoy.address, "/v1/models/digits/x", body=bytes(20_000_000), chunk=chunk)
    assert (answer.status, answer.json()["body"], answer.json()["wrong"]) == (200, 20_000_000, "")


async def test_a_request_that_is_sent_again_is_signed_again(signing: Rig, runtime: Runtime) -> None:
    await signing.observe(more=(component("1"),), upstreams=(runtime.upstream("1"),))
    await signing.publish({"1": 100}, idempotent=True)
    answer = await _post(signing, "/x", **{BEHAVIOUR: "cut-once"})
    (sample,) = await signing.plane.sample("digits", ("1",))
    assert (answer.status, answer.json()["wrong"]) == (200, "")
    assert (sample.requests, sample.errors) == (2, 1)


async def test_with_tls_the_service_must_be_who_it_says(store: Store, tmp_path: Path) -> None:
    roots, tls = self_made(tmp_path)
    trusting = Surroundings(Machine(roots=str(roots)), SOMEONE)
    async with Runtime(tls) as runtime, rig_of(store, tmp_path, "gateway-1", surroundings=trusting) as rig:
        named = runtime.upstream("2", host="runtime.sagemaker.eu-central-1.amazonaws.com")
        another = runtime.upstream("3", host="runtime.sagemaker.eu-central-1.example.com")
        await rig.observe(upstreams=(runtime.upstream("1"), named, another))
        await rig.publish({"1": 100}, "2", "3")
        answers = {version: await _post(rig, "/x", **{"x-longshore-version": version}) for version in ("1", "2", "3")}
        assert {version: answer.status for version, answer in answers.items()} == {"1": 200, "2": 200, "3": 503}
        assert answers["2"].json()["headers"]["host"] == "runtime.sagemaker.eu-central-1.amazonaws.com"
        assert await _stat(rig, "cluster.digits/3.ssl.fail_verify_san") > 0
        assert not runtime.refused


async def test_two_components_of_an_endpoint_share_by_weight(signing: Rig, runtime: Runtime) -> None:
    await _serve(signing, runtime, {"1": 70, "2": 30})
    answers = [await _post(signing, "/x") for _ in range(400)]
    assert {answer.status for answer in answers} == {200}
    assert 80 <= runtime.seen["digits-2"] <= 160
    for answer in answers:
        asked = answer.json()["headers"][COMPONENT.lower()]
        assert asked == f"digits-{answer.headers['x-longshore-version']}"


async def test_a_shift_under_load_loses_nothing(signing: Rig, runtime: Runtime) -> None:
    await _serve(signing, runtime, {"1": 100}, "2")

    async def post(what: str) -> Answer:
        return await _post(signing, "/invocations", **{BEHAVIOUR: what})

    async with signing.load(100, ("ms/1", "ms/20", "ms/300"), post) as statuses:
        for weights in ({"1": 75, "2": 25}, {"1": 25, "2": 75}, {"2": 100}):
            await signing.publish(weights, *{"1", "2"}.difference(weights))
            await _more(runtime, 15)
        await until(lambda: _nothing_at(signing, "1"), "version 1 has no request in flight")
        await signing.publish({"2": 100})
        await _more(runtime, 15)
    assert set(statuses) == {200}
    assert not runtime.refused


async def test_requests_in_flight_at_a_version_are_counted(signing: Rig, runtime: Runtime) -> None:
    await _serve(signing, runtime, {"1": 100}, "2")
    assert await signing.plane.requests_at("digits", ("1", "2", "3")) == {"1": 0, "2": 0, "3": 0}
    asked = [asyncio.create_task(_post(signing, "/x", **{BEHAVIOUR: "ms/2000"})) for _ in range(3)]

    async def three() -> bool:
        return await signing.plane.requests_at("digits", ("1", "2")) == {"1": 3, "2": 0}

    await until(three, "three requests in flight")
    await signing.publish({"2": 100}, "1")
    assert await _drained(signing, "1") == DrainReport(acked=True, in_flight=3)
    assert {answer.status for answer in await asyncio.gather(*asked)} == {200}
    assert await _drained(signing, "1") == DrainReport(acked=True, in_flight=0)


async def test_what_aws_refuses_counts_as_an_error(signing: Rig, runtime: Runtime) -> None:
    await _serve(signing, runtime, {"1": 100})
    for status in (200, 400, 403, 424, 429, 500):
        assert (await _post(signing, "/x", **{BEHAVIOUR: str(status)})).status == status
    (sample,) = await signing.plane.sample("digits", ("1",))
    assert (sample.requests, sample.errors) == (6, 4)


async def test_of_copies_with_addresses_only_5xx_is_an_error(rig: Rig, copies: list[ModelServer]) -> None:
    await rig.observe(copies[0])
    await rig.publish({"1": 100})
    assert [(await rig.get(path)).status for path in ("/x", "/throttled", "/fail")] == [200, 429, 500]
    (sample,) = await rig.plane.sample("digits", ("1",))
    assert (sample.requests, sample.errors) == (3, 1)


async def test_without_credentials_requests_fail_and_are_found(
    store: Store, runtime: Runtime, copies: list[ModelServer], tmp_path: Path
) -> None:
    async with rig_of(store, tmp_path, "gateway-1", surroundings=Surroundings(environment=NO_ONE)) as rig:
        local = copies[0].copy().model_copy(update={"deployment": "local"})
        await rig.observe(more=(component("1"), local), upstreams=(runtime.upstream("1"),))
        await rig.publish({"1": 100})
        await rig.publish({"1": 100}, deployment="local")
        assert {(await _post(rig, "/x")).status for _ in range(3)} == {403}
        await ask(rig.envoy.address, "/v1/models/local/x", {"x-amz-content-sha256": "of a client"})
        assert set(runtime.refused) == {"Missing Authentication Token"}
        (sample,) = await rig.plane.sample("digits", ("1",))
        assert (sample.requests, sample.errors) == (3, 3)
        assert await _signing(rig) == Signing("gateway-1", unsigned={"digits/1": 3}, denied={"digits/1": 3})


async def test_a_gateway_signs_with_a_credentials_file(store: Store, runtime: Runtime, tmp_path: Path) -> None:
    file = tmp_path / "credentials"
    file.write_text(f"[fleet]\naws_access_key_id = {KEY_ID}\naws_secret_access_key = {SECRET}\n")
    environment = {**NO_ONE, "AWS_SHARED_CREDENTIALS_FILE": str(file), "AWS_PROFILE": "fleet"}
    machine = Machine(credentials=credentials(environment))
    surroundings = Surroundings(machine, environment)
    async with rig_of(store, tmp_path, "gateway-1", surroundings=surroundings) as rig:
        await _serve(rig, runtime, {"1": 100})
        assert (await _post(rig, "/x")).status == 200
        assert await _signing(rig) == Signing("gateway-1", source=f"profile fleet of {file}")


async def test_a_role_is_never_replaced_by_the_gateways_own_credentials(signing: Rig, runtime: Runtime) -> None:
    role = runtime.upstream("1", role="arn:aws:iam::123456789012:role/longshore")
    await signing.observe(more=(component("1"),), upstreams=(role,))
    await signing.publish({"1": 100})
    # The role's service is not to be reached from here, so nobody can sign as the role.
    assert (await _post(signing, "/x")).status == 403
    assert runtime.refused == ["Missing Authentication Token"]

    async def refused() -> bool:
        return (await _signing(signing)).refused_roles == (REGION,)

    await until(refused, "the gateway was refused the role")


async def test_the_doctor_says_whether_gateways_can_sign_where_that_matters(
    postgres_url: str, runtime: Runtime, tmp_path: Path
) -> None:
    database = Database.connect(postgres_url)
    store = Store(database)
    async with rig_of(store, tmp_path, "gateway-1", surroundings=Surroundings(environment=NO_ONE)) as rig:
        await _serve(rig, runtime, {"1": 100})
        await _post(rig, "/x")
        assert await signing_checks(postgres_url) == []
        place = {"backend": "sagemaker", "sagemaker": {"region": REGION, "endpoint": "fleet"}}
        await store.targets.put("fleet", TargetSpec.model_validate(place), "test")
        (check,) = await signing_checks(postgres_url)
        assert (check.name, check.ok) == ("signing", False)
        assert check.detail == "gateway-1 sent requests to AWS without a signature: 1 of digits/1"
    await database.dispose()


async def test_no_secret_is_in_what_a_gateway_shows_or_keeps(signing: Rig, runtime: Runtime) -> None:
    await _serve(signing, runtime, {"1": 100})
    assert (await _post(signing, "/x")).status == 200
    async with httpx.AsyncClient(trust_env=False) as client:
        dump = (await client.get(f"http://{signing.envoy.admin}/config_dump?include_eds")).text
    assert "aws_request_signing" in dump
    for shown in (dump, signing.envoy.config(), signing.envoy.log()):
        assert SECRET not in shown


async def test_a_version_that_is_routed_before_it_is_known_is_served_once_it_is(signing: Rig, runtime: Runtime) -> None:
    await signing.publish({}, "1")
    assert (await _post(signing, "/x", **{"x-longshore-version": "1"})).status == 503
    await _serve(signing, runtime, {"1": 100})
    assert (await _post(signing, "/x")).status == 200


async def test_a_bad_upstream_is_refused_and_holds_up_nobody(
    signing: Rig, runtime: Runtime, copies: list[ModelServer]
) -> None:
    await _serve(signing, runtime, {"1": 100})
    bad = runtime.upstream("2", headers={"bad header": "x"})
    local = copies[0].copy().model_copy(update={"deployment": "local"})
    await signing.observe(more=(component("1"), local), upstreams=(runtime.upstream("1"), bad))
    refused = await signing.send({"1": 50, "2": 50})
    status = await signing.status(refused)
    assert status.rejected is not None
    assert status.rejected.startswith("upstream of version 2 of digits")
    await signing.publish({"1": 100}, deployment="local")
    assert (await ask(signing.envoy.address, "/v1/models/local/x")).status == 200
    assert (await _post(signing, "/x")).headers["x-longshore-version"] == "1"


async def _serve(rig: Rig, runtime: Runtime, weights: dict[str, int], *standby: str) -> None:
    """Versions 1 and 2 on one endpoint, with these weights."""
    versions = ("1", "2")
    copies = tuple(component(version, CopyState.READY) for version in versions)
    await rig.observe(more=copies, upstreams=tuple(runtime.upstream(version) for version in versions))
    await rig.publish(weights, *standby)


async def _post(rig: Rig, path: str, **headers: str) -> Answer:
    return await ask(rig.envoy.address, f"/v1/models/digits{path}", headers, b'{"x": 1}')


async def _more(runtime: Runtime, requests: int) -> None:
    """Wait until version 2 was asked so many times more."""
    enough = runtime.seen["digits-2"] + requests

    async def seen() -> bool:
        return runtime.seen["digits-2"] >= enough

    await until(seen, f"version 2 was asked {requests} times more")


async def _nothing_at(rig: Rig, version: str) -> bool:
    return await rig.plane.requests_at("digits", (version,)) == {version: 0}


async def _drained(rig: Rig, version: str) -> DrainReport:
    """What an operation reads that waits for a version's last requests."""
    asked = DrainedInput(deployment="digits", addresses=(), versions=(version,))
    report: DrainReport = await ActivityEnvironment().run(RouteActivities(rig.plane).drained, asked)
    return report


async def _signing(rig: Rig) -> Signing:
    async with httpx.AsyncClient(trust_env=False) as client:
        return await read_signing(Admin(client, rig.envoy.node, rig.envoy.admin))


async def _stat(rig: Rig, name: str) -> int:
    async with httpx.AsyncClient(trust_env=False) as client:
        answer = await client.get(f"http://{rig.envoy.admin}/stats", params={"format": "json", "filter": f"^{name}$"})
    return int(answer.json()["stats"][0]["value"])
