"""The kinds that `get` knows: where the API has them, and how they look in a table."""

from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

from longshore.cli.exits import USAGE, Stop
from longshore.cli.output import Column, View
from longshore.client import Client, segment

Object = dict[str, Any]


class Kind(NamedTuple):
    """A kind of object."""

    name: str
    """Singular."""
    plural: str
    short: str
    view: View
    find: Callable[[Client, str | None, dict[str, Any]], Any]
    """One object for a whole name, else a list. Gets the name and the filters."""


def kind_of(word: str) -> Kind:
    """The kind that a word means: singular, plural or short, in any case.

    Raises:
        Stop: there is no such kind.
    """
    for kind in KINDS:
        if word.lower() in {kind.name, kind.plural, kind.short}:
            return kind
    raise Stop(f"unknown kind {word!r}: use one of {', '.join(kind.plural for kind in KINDS)}", USAGE)


def plain(field: str) -> Callable[[Object], str]:
    """A field as it is; a dash for nothing."""
    return lambda item: "-" if item.get(field) is None else str(item[field])


def instant(field: str) -> Callable[[Object], str]:
    """An instant to the second, in UTC."""
    return lambda item: when(item[field]) if item.get(field) else "-"


def when(at: str) -> str:
    """`2026-01-02T03:04:05.678Z` → `2026-01-02 03:04:05Z`, of an instant in UTC."""
    return f"{at[:10]} {at[11:19]}Z"


def shares(counts: dict[str, int], unit: str = "") -> str:
    """`1 75%, 2 25%`; a dash for none."""
    return ", ".join(f"{version} {count}{unit}" for version, count in counts.items()) or "-"


def _ready(item: Object) -> str:
    """`1 4/4, 2 0/1`: ready copies of all, by version."""
    copies, ready = item["copies"], item["ready"]
    return ", ".join(f"{version} {ready.get(version, 0)}/{copies[version]}" for version in copies) or "-"


def _way(item: Object, what: str) -> str:
    """`1 → 2`, or the one end there is."""
    ends = [str(end) for end in (item.get(f"from{what}"), item.get(f"to{what}")) if end is not None]
    return " → ".join(ends) or "-"


def _concerned(item: Object) -> str:
    """`digits, team=search, on lab`: by what a freeze chooses; `all` when by nothing."""
    spec = item["spec"]
    labels = [f"{name}={value}" for name, value in spec["labels"].items()]
    return ", ".join([*spec["deployments"], *labels, *(f"on {name}" for name in spec["targets"])]) or "all"


def _windows(item: Object) -> str:
    """`sat sun 18:00 to 08:00, 2026-11-27T00:00 to 2026-11-30T08:00 Europe/Berlin`."""
    windows = [
        " ".join([*window["days"], window["from"], "to", "24:00" if window["until"] == "00:00" else window["until"]])
        for window in item["spec"]["windows"]
    ]
    return f"{', '.join(windows)} {item['spec']['timeZone']}"


def _hosts(item: Object) -> str:
    return ", ".join(f"{host['name']} {host['held']}/{host['accelerators']}" for host in item["hosts"]) or "-"


def _deployments(client: Client, name: str | None, filters: dict[str, Any]) -> Any:
    if name:
        return client.get(f"/v1/deployments/{segment(name)}")
    return list(client.items("/v1/deployments", **filters))


def _targets(client: Client, name: str | None, _: dict[str, Any]) -> Any:
    return client.get(f"/v1/targets/{segment(name)}") if name else list(client.items("/v1/targets"))


def _freezes(client: Client, name: str | None, _: dict[str, Any]) -> Any:
    return client.get(f"/v1/freezes/{segment(name)}") if name else list(client.items("/v1/freezes"))


def _models(client: Client, name: str | None, _: dict[str, Any]) -> Any:
    if not name:
        return list(client.items("/v1/models"))
    versions = [item["version"] for item in client.items(f"/v1/models/{segment(name)}/versions")]
    return {"name": name, "versions": versions}


def _versions(client: Client, name: str | None, _: dict[str, Any]) -> Any:
    if not name:
        models = [model["name"] for model in client.items("/v1/models")]
        return [item for model in models for item in client.items(f"/v1/models/{segment(model)}/versions")]
    model, _slash, version = name.partition("/")
    path = f"/v1/models/{segment(model)}/versions"
    return client.get(f"{path}/{segment(version)}") if version else list(client.items(path))


def _within(part: str, singular: str, known: Callable[[Object], str]) -> Callable[..., Any]:
    """Finds what belongs to a deployment: all of it for DEPLOYMENT, one for DEPLOYMENT/ONE."""

    def find(client: Client, name: str | None, _: dict[str, Any]) -> Any:
        if not name:
            raise Stop(f"whose? name the deployment: longshore get {part} DEPLOYMENT", USAGE)
        deployment, _slash, one = name.partition("/")
        items: Iterator[Object] = client.items(f"/v1/deployments/{segment(deployment)}/{_PARTS[part]}")
        if not one:
            return list(items)
        for item in items:
            if known(item) == one:
                return item
        raise Stop(f"there is no {singular} {one!r} of {deployment}: longshore get {part} {deployment} lists them")

    return find


_PARTS = {"revisions": "revisions", "copies": "copies", "operations": "rollouts"}

DEPLOYMENT = View(
    columns=(
        Column("NAME", plain("name")),
        Column("TARGET", plain("target")),
        Column("MODEL", plain("model")),
        Column("VERSION", plain("version")),
        Column("REVISION", plain("revision")),
        Column("READY", _ready),
        Column("TRAFFIC", lambda item: shares(item["traffic"], "%")),
        Column("PHASE", plain("phase")),
        Column("HEALTH", plain("health")),
        Column("DRIFT", plain("drift")),
        Column("REASON", plain("reason")),
        Column("MESSAGE", plain("message")),
    ),
    name=lambda item: f"deployment/{item['name']}",
)
TARGET = View(
    columns=(
        Column("NAME", plain("name")),
        Column("BACKEND", lambda item: str(item["spec"]["backend"])),
        Column("HELD", _hosts),
        Column("OBSERVED", instant("observedAt")),
        Column("TROUBLE", plain("trouble")),
    ),
    name=lambda item: f"target/{item['name']}",
)
FREEZE = View(
    columns=(
        Column("NAME", plain("name")),
        Column("HOLDS", _concerned),
        Column("WINDOWS", _windows),
        Column("NOW", lambda item: f"until {when(item['holdsUntil'])}" if item["holdsUntil"] else "-"),
        Column("BY", plain("actor")),
        Column("REASON", lambda item: str(item["spec"]["reason"])),
    ),
    name=lambda item: f"freeze/{item['name']}",
)
MODEL = View(
    columns=(Column("NAME", plain("name")), Column("VERSIONS", lambda item: ", ".join(item["versions"]))),
    name=lambda item: f"model/{item['name']}",
)
VERSION = View(
    columns=(
        Column("MODEL", plain("model")),
        Column("VERSION", plain("version")),
        Column("ACCELERATORS", lambda item: str(item["spec"]["resources"]["accelerators"])),
        Column("ARTIFACT", lambda item: str(item["spec"]["artifact"]["uri"])),
    ),
    name=lambda item: f"version/{item['model']}/{item['version']}",
)
REVISION = View(
    columns=(
        Column("REVISION", plain("number")),
        Column("VERSION", plain("version")),
        Column("PHASE", plain("phase")),
        Column("HELD", lambda item: "held" if item["held"] else "-"),
        Column("BY", plain("actor")),
        Column("AT", instant("at")),
        Column("REASON", plain("reason")),
    ),
    name=lambda item: f"revision/{item['deployment']}/{item['number']}",
)
COPY = View(
    columns=(
        Column("COPY", plain("id")),
        Column("VERSION", plain("version")),
        Column("STATE", plain("state")),
        Column("HOST", plain("host")),
        Column("ACCELERATORS", lambda item: ", ".join(map(str, item["accelerators"])) or "-"),
        Column("ADDRESS", plain("address")),
        Column("RESTARTS", plain("restarts")),
        Column("REASON", plain("reason")),
        Column("MESSAGE", plain("message")),
    ),
    name=lambda item: f"copy/{item['deployment']}/{item['id']}",
)
OPERATION = View(
    columns=(
        Column("OPERATION", plain("id")),
        Column("VERSION", lambda item: _way(item, "Version")),
        Column("REVISION", lambda item: _way(item, "Revision")),
        Column("PHASE", plain("phase")),
        Column("BY", plain("actor")),
        Column("STARTED", instant("startedAt")),
        Column("ENDED", instant("endedAt")),
        Column("REASON", plain("reason")),
        Column("MESSAGE", plain("message")),
    ),
    name=lambda item: f"operation/{item['id']}",
)

KINDS = (
    Kind("deployment", "deployments", "deploy", DEPLOYMENT, _deployments),
    Kind("target", "targets", "tgt", TARGET, _targets),
    Kind("freeze", "freezes", "fz", FREEZE, _freezes),
    Kind("model", "models", "mdl", MODEL, _models),
    Kind("version", "versions", "ver", VERSION, _versions),
    Kind("revision", "revisions", "rev", REVISION, _within("revisions", "revision", lambda item: str(item["number"]))),
    Kind("copy", "copies", "cp", COPY, _within("copies", "copy", lambda item: str(item["id"]))),
    Kind(
        "operation",
        "operations",
        "op",
        OPERATION,
        _within("operations", "operation", lambda item: str(item["id"]).partition("/")[2]),
    ),
)
