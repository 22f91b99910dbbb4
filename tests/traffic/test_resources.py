"""Routes and copies as Envoy resources: what is refused, what is left out, and what stays the same."""

import json
import subprocess
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from google.protobuf.json_format import MessageToDict
from traffic_rig import ENVOY

from longshore.planning.observed import Copy, CopyState
from longshore.planning.route import Route, RouteSnapshot
from longshore.traffic.bootstrap import LATENCY_BOUNDS_MS, Machine, bootstrap
from longshore.traffic.errors import InvalidRouteError
from longshore.traffic.resources import check_route, resources
from longshore.traffic.routes import route_configuration
from longshore.traffic.world import world


def route(weights: dict[str, int], *standby: str, deployment: str = "digits", idempotent: bool = False) -> Route:
    return Route(deployment=deployment, model="m", weights=weights, standby=standby, idempotent=idempotent)


def copy(
    name: str, version: str, state: CopyState, address: str | None = "127.0.0.1:1", deployment: str = "digits"
) -> Copy:
    return Copy(id=name, deployment=deployment, model="m", version=version, host="h", address=address, state=state)


@pytest.mark.parametrize(
    ("bad", "says"),
    [
        pytest.param(route({"1": 50, "2": 40}), "weights add up to 90, not to 100", id="too little"),
        pytest.param(route({"1": 60, "2": 60}), "weights add up to 120, not to 100", id="too much"),
        pytest.param(route({"1": 100, "2": 0}), "a version of weight 0 is left out", id="a weight of nothing"),
        pytest.param(route({"1": 101, "2": -1}), "none is below it", id="a weight below nothing"),
        pytest.param(route({"1\r\n": 100}), "pattern", id="a version that would be two headers"),
        pytest.param(route({}, "a b"), "pattern", id="a standby with a space"),
        pytest.param(route({"1": 100}, deployment="a/../b"), "pattern", id="a deployment that is a path"),
    ],
)
def test_a_route_that_gateways_would_refuse_is_refused_here(bad: Route, says: str) -> None:
    with pytest.raises(InvalidRouteError, match=says):
        check_route(bad)


@pytest.mark.parametrize("good", [route({"1": 100}), route({"1": 1, "2": 99}, "3"), route({}), route({}, "1")])
def test_a_good_route_passes(good: Route) -> None:
    check_route(good)


def test_only_copies_that_serve_or_drain_are_endpoints() -> None:
    states = [copy(state.value, "1", state, f"127.0.0.1:{port}") for port, state in enumerate(CopyState, start=1)]
    made = resources(route({"1": 100}), [*states, copy("unborn", "1", CopyState.READY, None)])
    hosts = MessageToDict(made.endpoints["digits/1"])["endpoints"][0]["lbEndpoints"]
    assert sorted(host["healthStatus"] for host in hosts) == ["DRAINING", "HEALTHY"]


def test_each_version_has_its_own_copies() -> None:
    copies = [
        copy("a", "1", CopyState.READY, "127.0.0.1:1"),
        copy("b", "2", CopyState.READY, "[::1]:2"),
        copy("c", "3", CopyState.READY, "127.0.0.1:3"),
    ]
    made = resources(route({"1": 100}, "2"), copies)
    assert {name: _addresses(one) for name, one in made.endpoints.items()} == {
        "digits/1": ["127.0.0.1:1"],
        "digits/2": ["::1:2"],
    }
    assert set(made.clusters) == {"digits/1", "digits/2"}


def test_a_copy_without_an_ip_address_is_refused() -> None:
    for address in ("gpu-7:8000", "127.0.0.1", "127.0.0.1:http"):
        with pytest.raises(InvalidRouteError, match="copy a of digits"):
            resources(route({"1": 100}), [copy("a", "1", CopyState.READY, address)])


def test_the_order_of_copies_does_not_matter() -> None:
    copies = [copy(str(port), "1", CopyState.READY, f"127.0.0.1:{port}") for port in range(1, 9)]
    assert resources(route({"1": 100}), copies) == resources(route({"1": 100}), reversed(copies))


def test_a_shift_changes_routes_alone_and_a_copy_endpoints_alone() -> None:
    copies = [copy("a", "1", CopyState.READY), copy("b", "2", CopyState.READY)]
    before = resources(route({"1": 100}, "2"), copies)
    shifted = resources(route({"1": 50, "2": 50}), copies)
    lost = resources(route({"1": 100}, "2"), copies[:1])
    assert (shifted.clusters, shifted.endpoints) == (before.clusters, before.endpoints)
    assert shifted.routes != before.routes
    assert (lost.clusters, lost.routes) == (before.clusters, before.routes)
    assert lost.endpoints != before.endpoints


@pytest.mark.parametrize(("idempotent", "after"), [(True, "reset"), (False, "reset-before-request")])
def test_only_idempotent_requests_are_sent_again_after_a_reset(
    idempotent: bool,  # noqa: FBT001 a table's column
    after: str,
) -> None:
    *_, by_weight = resources(route({"1": 100}, idempotent=idempotent), []).routes
    assert by_weight.route.retry_policy.retry_on.split(",") == ["connect-failure", "refused-stream", after]


def test_what_nobody_takes_comes_last() -> None:
    digits = resources(route({"1": 100}), [])
    configuration = MessageToDict(route_configuration({"digits": digits.routes}))
    *_, last = configuration["virtualHosts"][0]["routes"]
    assert last["match"] == {"prefix": "/"}
    assert last["directResponse"]["status"] == 404


def test_an_invalid_route_leaves_its_deployment_as_it_was_and_the_others_go_on() -> None:
    good = world(RouteSnapshot(revision=1, routes=(route({"1": 100}),), copies=(), route_revisions={"digits": 1}))
    bad = (route({"1": 90}), route({"7": 100}, deployment="other"))
    after = world(RouteSnapshot(revision=3, routes=bad, copies=(), route_revisions={"digits": 2, "other": 3}), good)
    assert after.deployments["digits"] is good.deployments["digits"]
    assert set(after.deployments["other"].clusters) == {"other/7"}
    assert [(one.deployment, one.revision) for one in after.refused.values()] == [("digits", 2)]

    mended = world(RouteSnapshot(revision=4, routes=(route({"2": 100}),), copies=()), after)
    assert set(mended.deployments["digits"].clusters) == {"digits/2"}
    assert not mended.refused


def test_an_invalid_route_without_a_past_is_left_out() -> None:
    made = world(RouteSnapshot(revision=1, routes=(route({"1": 90}),), copies=()))
    assert (dict(made.deployments), list(made.refused)) == ({}, ["digits"])


def test_what_did_not_change_is_not_made_again() -> None:
    copies = (copy("a", "1", CopyState.READY), copy("b", "1", CopyState.READY, deployment="other"))
    routes = (route({"1": 100}), route({"1": 100}, deployment="other"))
    before = world(RouteSnapshot(revision=1, routes=routes, copies=copies))
    after = world(RouteSnapshot(revision=2, routes=routes, copies=copies[:1]), before)
    assert after.deployments["digits"] is before.deployments["digits"]
    assert after.deployments["other"] is not before.deployments["other"]


def test_envoy_takes_the_bootstrap(tmp_path: Path) -> None:
    file = tmp_path / "envoy.json"
    file.write_text(json.dumps(_bootstrap(discovery="127.0.0.1:8472")))
    checked = subprocess.run([ENVOY, "--mode", "validate", "-c", file], capture_output=True, text=True, check=False)
    assert checked.returncode == 0, checked.stderr


def test_the_bootstrap_finds_a_named_discovery_service_by_dns() -> None:
    (cluster,) = _bootstrap(discovery="api:8472")["static_resources"]["clusters"]
    assert cluster["type"] == "STRICT_DNS"


def test_the_bootstrap_tells_where_its_admin_interface_is_reached() -> None:
    told = _bootstrap(discovery="api:8472", admin="0.0.0.0:9901", machine=Machine(admin="envoy:9901"))
    assert told["node"]["metadata"]["longshore_admin"] == "envoy:9901"


@pytest.mark.parametrize("address", ["8472", "host:", ":8472", "host:http", "host:99999"])
def test_an_address_without_host_and_port_is_refused(address: str) -> None:
    with pytest.raises(ValueError, match="write host:port"):
        _bootstrap(discovery=address)


def test_latency_buckets_are_ten_percent_apart_where_it_matters() -> None:
    assert sorted(set(LATENCY_BOUNDS_MS)) == LATENCY_BOUNDS_MS
    between = [bound for bound in LATENCY_BOUNDS_MS if 10 <= bound <= 10_000]
    assert max(high / low for low, high in pairwise(between)) < 1.101
    assert LATENCY_BOUNDS_MS[-1] == 3_600_000


def _bootstrap(*, discovery: str, **more: Any) -> dict[str, Any]:
    addresses = {"listen": "127.0.0.1:8471", "admin": "127.0.0.1:8473"}
    return bootstrap(node_id="a", discovery=discovery, **{**addresses, **more})


def _addresses(assignment: Any) -> list[str]:
    return [
        f"{host.endpoint.address.socket_address.address}:{host.endpoint.address.socket_address.port_value}"
        for group in assignment.endpoints
        for host in group.lb_endpoints
    ]
