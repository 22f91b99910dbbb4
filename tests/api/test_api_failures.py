"""Who is let in, and what every failure looks like."""

import httpx
import pytest
from api_world import free_port, problem
from asgi_lifespan import LifespanManager
from fastapi import FastAPI

from longshore.api import middleware
from longshore.api.app import create_app
from longshore.api.dependencies import Dependencies
from longshore.store.database import Database
from longshore.store.store import Store


def operations(app: FastAPI) -> list[tuple[str, str]]:
    """Every method and path of the API."""
    return [(method, path) for path, item in app.openapi()["paths"].items() for method in item]


async def test_everything_of_v1_needs_a_key(app: FastAPI, anonymous: httpx.AsyncClient) -> None:
    guarded = [(method, path) for method, path in operations(app) if path.startswith("/v1/")]
    assert len(guarded) >= 20
    for method, path in guarded:
        filled = path.replace("{verb}", "pause").replace("{", "").replace("}", "")
        body = {"copies": 1, "documents": [{}]} if method == "post" else None
        answer = await anonymous.request(method, filled, json=body)
        problem(answer, 401, "Unauthorized")
        assert answer.headers["www-authenticate"] == 'Bearer realm="longshore"'


async def test_a_wrong_or_revoked_key_is_401_and_is_not_repeated(
    anonymous: httpx.AsyncClient, key: str, store: Store
) -> None:
    headers = {"Authorization": f"Bearer {key[:-1]}!"}
    assert key[:-1] not in str(problem(await anonymous.get("/v1/targets", headers=headers), 401, "Unauthorized"))
    (stored,) = await store.keys.list()
    await store.keys.revoke(stored.id)
    problem(await anonymous.get("/v1/targets", headers={"Authorization": f"Bearer {key}"}), 401, "Unauthorized")


async def test_a_key_without_a_fitting_role_is_403(anonymous: httpx.AsyncClient, store: Store) -> None:
    _, key = await store.keys.create("guest", roles=("guest",))
    refusal = problem(await anonymous.get("/v1/targets", headers={"Authorization": f"Bearer {key}"}), 403, "Forbidden")
    assert "guest" in str(refusal["detail"])


@pytest.mark.parametrize(
    ("method", "path", "status", "reason"),
    [("GET", "/v1/nothing", 404, "NotFound"), ("PUT", "/v1/targets", 405, "MethodNotAllowed")],
)
async def test_what_there_is_not_is_a_problem_too(
    client: httpx.AsyncClient, method: str, path: str, status: int, reason: str
) -> None:
    problem(await client.request(method, path), status, reason)


async def test_a_body_that_is_not_json_is_422(client: httpx.AsyncClient) -> None:
    problem(await client.post("/v1/apply", content=b"{"), 422, "InvalidRequest")


async def test_a_body_that_is_too_large_is_413(client: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(middleware, "MOST_BYTES", 1000)
    answer = await client.post("/v1/apply", json={"documents": ["x" * 1000]})
    problem(answer, 413, "RequestEntityTooLarge")


async def test_what_nobody_foresaw_is_500_without_any_of_it(
    client: httpx.AsyncClient, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def broken() -> None:
        raise KeyError("password=hunter2")

    monkeypatch.setattr(store.targets, "list", broken)
    answer = await client.get("/v1/targets", headers={"X-Request-Id": "find-me"})
    refusal = problem(answer, 500, "InternalError")
    assert "find-me" in str(refusal["detail"])
    assert "hunter2" not in answer.text
    assert "Traceback" not in answer.text


async def test_a_request_id_that_could_forge_a_log_line_is_replaced(anonymous: httpx.AsyncClient) -> None:
    answer = await anonymous.get("/healthz", headers={"X-Request-Id": "a b"})
    assert answer.headers["x-request-id"] != "a b"
    assert (await anonymous.get("/healthz", headers={"X-Request-Id": "a-b"})).headers["x-request-id"] == "a-b"


async def test_readiness_names_what_is_missing(anonymous: httpx.AsyncClient) -> None:
    answer = await anonymous.get("/readyz")
    refusal = problem(answer, 503, "NotReady")
    assert refusal["missing"] == {"temporal": "Temporal cannot be reached"}
    assert answer.headers["retry-after"]


@pytest.fixture
def without_postgres(dependencies: Dependencies) -> Dependencies:
    """The API with a database that nobody listens for."""
    database = Database.connect(f"postgresql://ada:hunter2@127.0.0.1:{free_port()}/longshore")
    return Dependencies(**(vars(dependencies) | {"store": Store(database)}))


async def test_without_its_database_it_lives_and_says_so(without_postgres: Dependencies) -> None:
    app = create_app(without_postgres)
    async with (
        LifespanManager(app),
        httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://longshore.test") as client,
    ):
        assert (await client.get("/healthz")).json()["status"] == "ok"
        missing = problem(await client.get("/readyz"), 503, "NotReady")["missing"]
        assert isinstance(missing, dict)
        assert sorted(missing) == ["store", "temporal"]
        answer = await client.get("/v1/targets", headers={"Authorization": "Bearer lsk_0123_secret"})
        refusal = problem(answer, 503, "StoreUnavailable")
        assert answer.headers["retry-after"] == "2"
        assert "hunter2" not in str(refusal)
    await without_postgres.store.database.dispose()
