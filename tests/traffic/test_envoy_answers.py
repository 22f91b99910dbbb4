"""What a client gets from a real Envoy: the right path, the right version, and a reason when there is none."""

import pytest
from traffic_rig import ModelServer, Rig, ask


@pytest.mark.parametrize(
    ("asked", "seen"),
    [
        pytest.param("/v2/models/digits/infer", "/v2/models/digits/infer", id="Open Inference"),
        pytest.param("/v1/chat/completions", "/v1/chat/completions", id="OpenAI"),
        pytest.param("/v2/health/ready?verbose=1", "/v2/health/ready?verbose=1", id="a query stays"),
        pytest.param("/", "/", id="the root"),
        pytest.param("", "/", id="the root without a slash"),
        pytest.param("/a/../b", "/b", id="dots are resolved before anything is matched"),
    ],
)
async def test_the_copy_sees_the_path_after_the_deployment(
    rig: Rig, copies: list[ModelServer], asked: str, seen: str
) -> None:
    await rig.observe(copies[0])
    await rig.publish({"1": 100})
    answer = await rig.get(asked)
    assert (answer.status, answer.json()["path"], answer.headers["x-longshore-version"]) == (200, seen, "1")


async def test_what_longshore_answers_itself_has_a_reason(rig: Rig, copies: list[ModelServer]) -> None:
    async def reason(path: str, **headers: str) -> tuple[int, str | None]:
        answer = await ask(rig.envoy.address, path, {name.replace("_", "-"): value for name, value in headers.items()})
        return answer.status, answer.headers.get("x-longshore-reason")

    assert await reason("/v1/models/digits/x") == (404, "UnknownDeployment")
    await rig.publish({}, "1")
    assert await reason("/v1/models/digits/x") == (503, "NotServing")
    await rig.publish({"1": 100})
    assert await reason("/v1/models/digits/x") == (503, "NoReadyCopies")
    await rig.observe(copies[0])
    await rig.acked()
    assert await reason("/v1/models/digits/x") == (200, None)
    assert await reason("/v1/models/digits-2/x") == (404, "UnknownDeployment")
    assert await reason("/elsewhere") == (404, "UnknownDeployment")
    assert await reason("/v1/models/digits/x", x_longshore_version="7") == (404, "UnknownVersion")


async def test_a_version_asked_for_by_header_answers_whatever_its_weight(rig: Rig, copies: list[ModelServer]) -> None:
    await rig.observe(*copies)
    await rig.publish({"1": 100}, "2")
    assert {(await rig.get("/x")).headers["x-longshore-version"] for _ in range(10)} == {"1"}
    answer = await rig.get("/x", x_longshore_version="2")
    assert answer.json()["copy"] in {"b1", "b2"}
    assert answer.headers["x-longshore-version"] == "2"


async def test_weights_share_the_requests(rig: Rig, copies: list[ModelServer]) -> None:
    await rig.observe(*copies)
    await rig.publish({"1": 75, "2": 25})
    versions = [(await rig.get("/x")).headers["x-longshore-version"] for _ in range(400)]
    assert 60 <= versions.count("2") <= 140


async def test_a_large_body_passes(rig: Rig, copies: list[ModelServer]) -> None:
    await rig.observe(copies[0])
    await rig.publish({"1": 100})
    answer = await ask(rig.envoy.address, "/v1/models/digits/infer", body=bytes(20_000_000))
    assert (answer.status, answer.json()["body"]) == (200, 20_000_000)


async def test_versions_with_dots_are_counted_apart(rig: Rig, copies: list[ModelServer]) -> None:
    copies[0].version, copies[2].version = "1", "1.upstream_rq_5xx"
    await rig.observe(copies[0], copies[2])
    await rig.publish({"1": 100}, "1.upstream_rq_5xx")
    await rig.get("/x")
    for _ in range(3):
        await rig.get("/fail", x_longshore_version="1.upstream_rq_5xx")
    samples = await rig.plane.sample("digits", ("1", "1.upstream_rq_5xx"))
    assert [(sample.version, sample.requests, sample.errors) for sample in samples] == [
        ("1", 1, 0),
        ("1.upstream_rq_5xx", 3, 3),
    ]
