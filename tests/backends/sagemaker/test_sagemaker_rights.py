"""The shipped policy allows every call that is made, and nothing else; every test in this room watches the first."""

import ast
from collections.abc import Iterator

from aws_rights import POLICY, ROOT, action_of, allowed
from botocore.loaders import Loader

ROOMS = (ROOT / "longshore" / "backends" / "sagemaker", ROOT / "longshore" / "sources")
SERVICES = ("application-autoscaling", "cloudwatch", "ecr", "logs", "s3", "sagemaker", "sagemaker-runtime")
BESIDES = {
    "iam:PassRole",  # CreateModel and CreateEndpointConfig hand over the execution role
    "sagemaker:AddTags",  # whatever is made is made with tags
    "sagemaker:InvokeEndpoint",  # the gateway's own, as the next
    "sagemaker:InvokeEndpointWithResponseStream",
}
"""Actions that no call of the adapter is named for."""


def test_the_policy_allows_what_the_adapter_calls_and_nothing_else() -> None:
    operations = {service: set(Loader().load_service_model(service, "service-2")["operations"]) for service in SERVICES}
    named = {action_of(service, word) for word in _words() for service in SERVICES if word in operations[service]}
    assert sorted(allowed() - BESIDES - named) == [], "allowed, and never called"
    assert sorted(named - allowed()) == [], "called, and not allowed"


def test_what_changes_something_is_bound_to_our_names_or_our_tags() -> None:
    for statement in POLICY["Statement"]:
        changes = [one for one in statement["Action"] if one.startswith(("sagemaker:Update", "sagemaker:Delete"))]
        resources = statement["Resource"] if isinstance(statement["Resource"], list) else [statement["Resource"]]
        named = all("/ls-" in resource for resource in resources)
        tagged = statement.get("Condition", {}).get("Null", {}).get("aws:ResourceTag/longshore:installation") == "false"
        assert not changes or named or tagged, statement["Sid"]


def _words() -> Iterator[str]:
    """Every text in the rooms that call AWS."""
    for room in ROOMS:
        for path in room.rglob("*.py"):
            for node in ast.walk(ast.parse(path.read_text())):
                if isinstance(node, ast.Constant) and isinstance(node.value, str):
                    yield node.value
