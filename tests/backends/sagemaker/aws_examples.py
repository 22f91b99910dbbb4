"""Small values of a SageMaker target."""

from datetime import UTC, datetime, timedelta
from typing import Any

from longshore.backends.port import CopiesLevel
from longshore.backends.sagemaker.names import Names
from longshore.backends.sagemaker.pages import VersionPage
from longshore.backends.sagemaker.picture import Noted
from longshore.backends.sagemaker.seen import Component, Endpoint, View
from longshore.planning.fence import Fence
from longshore.spec.model_version import ModelVersionSpec

NOON = datetime(2026, 11, 2, 12, tzinfo=UTC)
NAMES = Names(installation="abcdefghij", target="fleet")
DIGEST = "sha256:" + "0" * 64


def after(seconds: float) -> datetime:
    return NOON + timedelta(seconds=seconds)


def version_spec(**changes: Any) -> ModelVersionSpec:
    values: dict[str, Any] = {
        "artifact": {"uri": "s3://models/search-1.tar.gz", "digest": DIGEST},
        "server": {"image": "serve:1", "smoke": {"path": "/invocations", "method": "POST", "body": {}}},
        "resources": {"accelerators": 1, "memoryGiB": 4},
    }
    return ModelVersionSpec.model_validate(values | changes)


def level(copies: int, surplus: str = "end", step: int = 1, **more: Any) -> CopiesLevel:
    values: dict[str, Any] = {
        "deployment": "search",
        "model": "search",
        "version": "1",
        "copies": copies,
        "surplus": surplus,
        "spec": version_spec(),
        "fence": Fence(operation=1, step=step),
    }
    return CopiesLevel(**(values | more))


def page(count: int = 3, **more: Any) -> VersionPage:
    """Of a component that was made long ago and has settled."""
    values: dict[str, Any] = {
        "model": "search",
        "component": "ls-search-1",
        "level": count,
        "count": count,
        "ours": (count,),
        "made": True,
        "had": count,
        "accelerators": 1,
        "asked_at": after(-3600),
    }
    return VersionPage(**(values | more))


def component(desired: int = 3, current: int | None = None, status: str = "InService", **more: Any) -> Component:
    values: dict[str, Any] = {
        "name": "ls-search-1",
        "arn": "arn:aws:sagemaker:eu-central-1:123456789012:inference-component/ls-search-1",
        "status": status,
        "desired": desired,
        "current": desired if current is None else current,
        "created_at": after(-7200),
        "modified_at": after(-3600),
        "seen_at": NOON,
    }
    return Component(**(values | more))


def endpoint(**more: Any) -> Endpoint:
    values: dict[str, Any] = {
        "name": "fleet",
        "status": "InService",
        "variant": "AllTraffic",
        "instances": {"ml.g5.12xlarge": 2},
        "seen_at": NOON,
    }
    return Endpoint(**(values | more))


def view(*components: Component, **more: Any) -> View:
    return View(endpoint=endpoint(**more), components={one.name: one for one in components})


def noted(**versions: VersionPage) -> Noted:
    """Pages of the deployment `search`: `v1=page(…)`."""
    return Noted(versions={("search", name.removeprefix("v")): one for name, one in versions.items()})
