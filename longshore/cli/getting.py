"""`longshore get`: what it does, and the quick way into it.

The command is typer's, but typer alone takes 90 ms to import. So the usual forms are parsed here, and everything
else (`--help`, mistakes) is left to typer; a test holds that both read the same.
"""

from typing import Any, NamedTuple

from longshore.cli.exits import REACHED, USAGE, Stop
from longshore.cli.kinds import kind_of
from longshore.cli.output import FORMATS, show
from longshore.client import Client


class GetRequest(NamedTuple):
    """What is to be got."""

    kind: str
    name: str | None = None
    output: str = "table"
    target: str | None = None
    model: str | None = None
    phase: str | None = None
    label: tuple[str, ...] = ()


def get(request: GetRequest) -> int:
    """Read one object, or all of a kind, and show them."""
    word, slash, name = request.kind.partition("/")
    kind = kind_of(word)
    if slash and request.name:
        raise Stop(f"name one thing: {request.kind} or {word} {request.name}", USAGE)
    wanted = request.name or name or None
    filters: dict[str, Any] = {"target": request.target, "model": request.model, "phase": request.phase}
    given = {key: value for key, value in {**filters, "label": request.label}.items() if value}
    if given and (kind.name != "deployment" or wanted):
        raise Stop(f"--{next(iter(given))} is for lists of deployments", USAGE)
    show(kind.find(Client.from_environment(), wanted, given), request.output, kind.view)
    return REACHED


_OPTIONS = {"-o": "output", "--output": "output", "-l": "label", "--label": "label"} | {
    f"--{name}": name for name in ("target", "model", "phase")
}


def parse(arguments: list[str]) -> GetRequest | None:
    """Parse what follows `get`; None leaves it to typer."""
    words: list[str] = []
    values: dict[str, Any] = {}
    rest = iter(arguments)
    for argument in rest:
        if not argument.startswith("-"):
            words.append(argument)
            continue
        option, equals, value = argument.partition("=")
        name = _OPTIONS.get(option)
        if name is None or (equals and not option.startswith("--")):
            return None
        given = value if equals else next(rest, None)
        if given is None or given.startswith("-"):
            return None
        values[name] = (*values.get(name, ()), given) if name == "label" else given
    if not 1 <= len(words) <= 2 or values.get("output", "table") not in FORMATS:
        return None
    return GetRequest(words[0], words[1] if len(words) == 2 else None, **values)
