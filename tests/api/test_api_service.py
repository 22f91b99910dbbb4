"""What the API says of itself: its description, its numbers, its two pages."""

import base64
from collections.abc import Iterable

import httpx
import jsonschema
import pytest
from api_world import NOW, Eventually, Seed, problem
from fastapi import FastAPI
from openapi_spec_validator import OpenAPIV31SpecValidator
from prometheus_client.parser import text_string_to_metric_families

from longshore.api.answers import DeploymentAnswer
from longshore.planning.words import Event, EventType
from longshore.store.records import Record


def samples(text: str) -> dict[tuple[str, frozenset[tuple[str, str]]], float]:
    return {
        (sample.name, frozenset(sample.labels.items())): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


def sample(name: str, **labels: str) -> tuple[str, frozenset[tuple[str, str]]]:
    return name, frozenset(labels.items())


def references(value: object) -> Iterable[str]:
    if isinstance(value, dict):
        if isinstance(value.get("$ref"), str):
            yield value["$ref"]
        for inner in value.values():
            yield from references(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from references(inner)


async def test_the_description_is_valid_openapi_and_every_reference_resolves(anonymous: httpx.AsyncClient) -> None:
    description = (await anonymous.get("/openapi.json")).json()
    OpenAPIV31SpecValidator(description).validate()
    for reference in references(description):
        name = reference.removeprefix("#/components/schemas/")
        assert name in description["components"]["schemas"], reference


async def test_every_operation_describes_itself_and_fails_with_problems(app: FastAPI) -> None:
    paths = app.openapi()["paths"]
    for path, item in paths.items():
        for method, operation in item.items():
            assert operation.get("description") or operation.get("summary"), (method, path)
            if path.startswith("/v1/") and path != "/v1/schema":
                content = operation["responses"]["409"]["content"]
                assert list(content) == ["application/problem+json"], (method, path)


async def test_the_contracts_object_is_typed_in_the_description(app: FastAPI) -> None:
    schema = app.openapi()["components"]["schemas"]["DeploymentAnswer"]
    assert list(schema["properties"]) == [
        "name", "target", "model", "revision", "version", "copies", "ready", "traffic", "rolloutTo", "phase", "health",
        "drift", "reason", "message", "temporalUrl",
    ]  # fmt: skip
    assert DeploymentAnswer.model_json_schema(mode="serialization")["required"] == schema["required"]


async def test_the_schema_of_documents_is_a_json_schema(client: httpx.AsyncClient) -> None:
    schema = (await client.get("/v1/schema")).json()
    jsonschema.Draft202012Validator.check_schema(schema)
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate({"kind": "Deployment"}, schema)


async def test_metrics_count_deployments_copies_traffic_events_and_requests(
    anonymous: httpx.AsyncClient, key: str, seed: Seed, app: FastAPI
) -> None:
    await seed()
    await anonymous.get("/v1/deployments/digits", headers={"Authorization": f"Bearer {key}"})
    app.state.dependencies.metrics.event(EventType.HOST_LOST)
    found = samples((await anonymous.get("/metrics")).text)
    assert found[sample("longshore_deployments", phase="Succeeded", health="Healthy", drift="InSync")] == 1
    copies = sample("longshore_copies", deployment="digits", target="workstation", version="1", state="ready")
    assert found[copies] == 2
    assert found[sample("longshore_traffic_percent", deployment="digits", version="1")] == 100
    assert found[sample("longshore_events_total", type="HostLost")] == 1
    assert found[sample("longshore_events_total", type="Retired")] == 0
    request = sample(
        "longshore_http_request_seconds_count", method="GET", route="/v1/deployments/{deployment}", status="200"
    )
    assert found[request] == 1


async def test_events_are_counted_as_they_are_recorded(
    anonymous: httpx.AsyncClient, app: FastAPI, eventually: Eventually
) -> None:
    store = app.state.dependencies.store

    async def counted() -> bool:
        text = (await anonymous.get("/metrics")).text
        return samples(text)[sample("longshore_events_total", type="Scaled")] >= 1

    number = 0

    async def happened_and_counted() -> bool:
        nonlocal number
        number += 1
        event = Event(at=NOW, deployment="digits", type=EventType.SCALED)
        await store.record(Record(source="digits/scale-1", step=number, events=(event,)))
        return await counted()

    await eventually(happened_and_counted)


async def test_metrics_need_a_key_from_other_machines(app: FastAPI, key: str) -> None:
    transport = httpx.ASGITransport(app, client=("192.0.2.7", 4711))
    async with httpx.AsyncClient(transport=transport, base_url="http://longshore.test") as far:
        problem(await far.get("/metrics"), 401, "Unauthorized")
        assert (await far.get("/metrics", headers={"Authorization": f"Bearer {key}"})).status_code == 200


async def test_the_first_page_needs_no_key_and_holds_no_data(anonymous: httpx.AsyncClient, seed: Seed) -> None:
    await seed("secret-project")
    page = await anonymous.get("/")
    assert page.status_code == 200
    assert "longshore apply -f" in page.text
    assert 'href="http://127.0.0.1:8233/"' in page.text
    assert "secret-project" not in page.text
    assert "<script" not in page.text


async def test_the_table_takes_the_key_as_a_password_and_escapes_everything(
    anonymous: httpx.AsyncClient, key: str, seed: Seed
) -> None:
    await seed(version="<script>alert(1)</script>")
    challenged = await anonymous.get("/deployments")
    problem(challenged, 401, "Unauthorized")
    assert challenged.headers["www-authenticate"] == 'Basic realm="longshore"'
    for wrong in ("Basic !", "Basic " + base64.b64encode(b"any:wrong").decode()):
        problem(await anonymous.get("/deployments", headers={"Authorization": wrong}), 401, "Unauthorized")
    page = await anonymous.get("/deployments", auth=("any", key))
    assert page.status_code == 200
    assert 'href="http://127.0.0.1:8233/namespaces/default/workflows/deployment%2Fdigits"' in page.text
    assert "<script>" not in page.text
    assert "&lt;script&gt;" in page.text
    assert "default-src 'none'" in page.headers["content-security-policy"]
