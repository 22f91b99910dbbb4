"""Upstreams as Envoy resources: what is refused before any gateway hears of it, and what stays as it is."""

from typing import Any

import pytest
from google.protobuf.json_format import MessageToDict
from hypothesis import given, settings
from hypothesis import strategies as st

from longshore.planning.observed import Copy, CopyState, Upstream
from longshore.planning.route import Route, RouteSnapshot
from longshore.traffic.errors import InvalidRouteError
from longshore.traffic.resources import resources
from longshore.traffic.upstreams import check_upstream
from longshore.traffic.world import world

HOST = "runtime.sagemaker.eu-central-1.amazonaws.com"


def upstream(version: str = "1", **more: Any) -> Upstream:
    told = {
        "deployment": "digits",
        "version": version,
        "address": f"{HOST}:443",
        "host": HOST,
        "path": "/endpoints/fleet",
        "headers": {"X-Amzn-SageMaker-Inference-Component": f"digits-{version}"},
        "signed_for": "sagemaker/eu-central-1",
    }
    return Upstream.model_validate({**told, **more})


def route(weights: dict[str, int], *standby: str) -> Route:
    return Route(deployment="digits", model="m", weights=weights, standby=standby)


def copy(state: CopyState) -> Copy:
    return Copy(id="digits-1#0", deployment="digits", model="m", version="1", host="instance-1", state=state)


@pytest.mark.parametrize(
    ("wrong", "says"),
    [
        pytest.param({"address": HOST}, "is not host:port", id="no port"),
        pytest.param({"address": f"{HOST}:0"}, "is not host:port", id="port 0"),
        pytest.param({"address": "a b:443"}, "is not host:port", id="an address with a space"),
        pytest.param({"host": ""}, "no name of a host", id="no host"),
        pytest.param({"host": "a\r\nb: c"}, "no name of a host", id="a host that is two headers"),
        pytest.param({"path": "endpoints/fleet"}, "not one like", id="a path without its slash"),
        pytest.param({"path": r"/endpoints/\1"}, "not one like", id="a path that is part of a pattern"),
        pytest.param({"path": "/endpoints/fleet?x"}, "not one like", id="a path with a query"),
        pytest.param({"headers": {"a b": "c"}}, "name", id="a header's name with a space"),
        pytest.param({"headers": {":path": "/"}}, "name", id="a pseudo header"),
        pytest.param({"headers": {"": "c"}}, "name", id="a header without a name"),
        pytest.param({"headers": {"Host": "c"}}, "the gateway's own", id="the host as a header"),
        pytest.param({"headers": {"Authorization": "c"}}, "the gateway's own", id="a signature of its own"),
        pytest.param({"headers": {"a": "b\r\nc: d"}}, "control signs", id="a value that is two headers"),
        pytest.param({"signed_for": "sagemaker"}, "write service/region", id="signed for no region"),
        pytest.param({"role": "longshore"}, "ARN of a role", id="a role without its ARN"),
    ],
)
def test_an_upstream_that_gateways_would_refuse_is_refused_here(wrong: dict[str, Any], says: str) -> None:
    with pytest.raises(InvalidRouteError, match=rf"^upstream of version 1 of digits: .*{says}"):
        check_upstream(upstream(**wrong))
    with pytest.raises(InvalidRouteError, match=says):
        resources(route({"1": 100}), [], [upstream(**wrong)])


@pytest.mark.parametrize(
    "right",
    [
        {},
        {"address": "127.0.0.1:8476", "host": "127.0.0.1:8476", "tls": False},
        {"address": "[::1]:8476", "host": "[::1]:8476", "path": ""},
        {"headers": {}, "signed_for": None},
        {"role": "arn:aws-cn:iam::123456789012:role/path/of.a+role"},
    ],
)
def test_a_good_upstream_passes(right: dict[str, Any]) -> None:
    check_upstream(upstream(**right))
    resources(route({"1": 100}), [], [upstream(**right)])


@settings(max_examples=100, deadline=None)
@given(st.text(max_size=20), st.text(max_size=20))
def test_whatever_a_header_is_called_it_is_refused_here_or_taken(key: str, value: str) -> None:
    try:
        check_upstream(upstream(headers={key: value}))
    except InvalidRouteError:
        return
    made = MessageToDict(resources(route({"1": 100}), [], [upstream(headers={key: value})]).clusters["digits/1"])
    (*_, added) = _filter(made, "header_mutation")["mutations"]["requestMutations"]
    assert added["append"]["header"] == {"key": key, **({"value": value.replace("%", "%%")} if value else {})}


def test_a_cluster_depends_on_its_upstream_alone() -> None:
    ready, draining = [copy(CopyState.READY)], [copy(CopyState.DRAINING)]
    both = [upstream("1"), upstream("2")]
    before = resources(route({"1": 100}, "2"), ready, both)
    shifted = resources(route({"1": 50, "2": 50}), ready, both)
    drained = resources(route({"2": 100}, "1"), draining, both)
    assert before.clusters == shifted.clusters == drained.clusters
    assert before.endpoints == shifted.endpoints == drained.endpoints == {}
    assert shifted.routes != before.routes


def test_copies_and_services_beside_each_other_share_no_requests() -> None:
    with pytest.raises(InvalidRouteError, match="cannot share requests"):
        resources(route({"1": 50, "2": 50}), [], [upstream("2")])
    with pytest.raises(InvalidRouteError, match="/endpoints/another, /endpoints/fleet"):
        resources(route({"1": 50, "2": 50}), [], [upstream("1"), upstream("2", path="/endpoints/another")])
    made = resources(route({"1": 100}, "2"), [], [upstream("2")])
    assert (set(made.clusters), set(made.endpoints)) == ({"digits/1", "digits/2"}, {"digits/1"})


def test_credentials_are_no_part_of_a_cluster() -> None:
    made = MessageToDict(resources(route({"1": 100}), [], [upstream()]).clusters["digits/1"])
    assert "credentialProvider" not in _filter(made, "aws_request_signing")
    role = "arn:aws:iam::123456789012:role/longshore"
    made = MessageToDict(resources(route({"1": 100}), [], [upstream(role=role)]).clusters["digits/1"])
    assert _filter(made, "aws_request_signing")["credentialProvider"] == {
        "customCredentialProviderChain": True,
        "assumeRoleCredentialProvider": {"roleArn": role, "roleSessionName": "longshore"},
    }


def test_an_upstream_of_a_version_that_is_not_routed_is_nothing() -> None:
    made = resources(route({"1": 100}), [], [upstream("1"), upstream("2", path="bad")])
    assert set(made.clusters) == {"digits/1"}


def test_an_upstream_that_is_known_now_makes_its_deployment_anew_and_no_other() -> None:
    other = Route(deployment="other", model="m", weights={"1": 100})
    routes = (route({"1": 100}), other)
    before = world(RouteSnapshot(revision=1, routes=routes, copies=()))
    after = world(RouteSnapshot(revision=2, routes=routes, copies=(), upstreams=(upstream(),)), before)
    assert after.deployments["other"] is before.deployments["other"]
    assert (set(before.deployments["digits"].endpoints), set(after.deployments["digits"].endpoints)) == (
        {"digits/1"},
        set(),
    )


def test_a_bad_upstream_leaves_its_deployment_as_it_was() -> None:
    before = world(RouteSnapshot(revision=1, routes=(route({"1": 100}),), copies=(), upstreams=(upstream(),)))
    bad = (upstream(), upstream("2", path="bad"))
    after = world(RouteSnapshot(revision=2, routes=(route({"1": 50, "2": 50}),), copies=(), upstreams=bad), before)
    assert after.deployments["digits"] is before.deployments["digits"]
    assert "its path 'bad'" in after.refused["digits"].message


def _filter(cluster: dict[str, Any], kind: str) -> Any:
    options = cluster["typedExtensionProtocolOptions"]["envoy.extensions.upstreams.http.v3.HttpProtocolOptions"]
    return next(one["typedConfig"] for one in options["httpFilters"] if one["name"] == f"envoy.filters.http.{kind}")
