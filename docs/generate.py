"""Write docs/manifests.md and docs/cli.md from the models and the commands: `python docs/generate.py`.

A test fails when what is written here is not what is there.
"""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import typer

from longshore.cli.app import app
from longshore.spec.checking import KINDS
from longshore.spec.loading import MOST_BYTES, SUFFIXES
from longshore.spec.quantities import format_duration
from longshore.spec.schema import json_schema

HERE = Path(__file__).parent

MANIFESTS = """\
# Manifests

Desired state is written as YAML documents of four kinds. `longshore validate -f FILE` checks them without a server,
`longshore schema` prints their JSON Schema, and `longshore apply -f FILE` brings everything to what they say. What the
fields do to a rollout is told in [concepts](concepts.md); [a model of your own](first-model.md) writes a set of them.

```yaml
{example}```

## How files are read

- `-f` takes files, folders (their {suffixes} files by name, not deeper) and `-` for stdin, and may be repeated.
- A file holds any number of documents between `---` lines. `apiVersion: longshore/v1` may be left out.
- The grammar is YAML 1.2: `no` is a text, and so is a date. JSON is YAML. Tags, merge keys (`<<`) and a field given
  twice are refused; anchors and aliases are fine. A file has at most {most} MiB.
- Every mistake is one line with file, line, field and cure, all of them at once, and the exit code is 2:

```
fleet.yaml:17: spec.copys: unknown field `copys`: did you mean `copies`?
fleet.yaml:31: spec.version: 2 is not a text: write it in quotes, "2"
```

A *duration* is written `90s`, `5m`, `1h30m` or `250ms`, or as a number of seconds. An *amount* of copies is a count or
a percentage of the desired copies. A *name* has lower case letters, digits and dashes, at most 63.

Not in this release, and refused in a line that says so:

- the backend `kubernetes`;
- checks measured from Prometheus or an HTTP endpoint.
"""

CLI = """\
# Command line

`longshore` is an HTTP client of the API; only `up`, `down`, `demo`, `doctor` and `emulate` work on this machine.

- Data goes to stdout (`-o table|json|jsonl|yaml|name`), progress and mistakes to stderr. Colour and motion appear only
  on a terminal, and never with `NO_COLOR`; elsewhere each change of state is a line. JSON keys are camelCase; one thing
  is an object, several are `{"items": […]}`.
- Without `--wait` the server goes on alone; with it the command follows to the end and exits as it ended.
- Kinds have short names: {kinds}. What `-o name` prints (`deployment/digits`), `get` and `delete` take.

| exit code | |
|---|---|
| 0 | reached |
| 1 | error |
| 2 | usage: the command line or a manifest cannot be read |
| 3 | rolled back, aborted or superseded |
| 4 | paused, blocked or failed: a person is needed |
| 5 | the client stopped waiting (`--timeout`, Ctrl-C), the server goes on |
| 6 | `plan --exit-code` or `diff` found changes |

| variable | |
|---|---|
| `LONGSHORE_API_URL` | where the API is; default: where `up` put it, else `http://127.0.0.1:8470` |
| `LONGSHORE_API_KEY` | the API key; default: the admin's key in the home folder, if this user may read it |
| `LONGSHORE_HOME` | the home folder of the embedded stack |
| `LONGSHORE_TEMPORAL_UI_URL` | where `open temporal` finds the Temporal UI |
| `LONGSHORE_DEBUG` | `1`: show the traceback of a failure |
"""


def manifests() -> str:
    """docs/manifests.md."""
    schema = json_schema()
    example = (HERE / "example.yaml").read_text()
    head = MANIFESTS.format(example=example, suffixes=", ".join(SUFFIXES), most=MOST_BYTES // 1024 // 1024)
    parts = [head]
    for kind in KINDS:
        definition = schema["$defs"][kind]
        rows = list(_fields(schema, definition, ""))
        parts.append(f"## {kind}\n\n{definition['description']}\n\n" + _table(("field", "type", "default", ""), rows))
    return "\n".join(parts)


def _fields(schema: dict[str, Any], definition: dict[str, Any], path: str) -> Iterator[tuple[str, ...]]:
    """A row for every field of a definition, and under it those of the definition it refers to."""
    for name, field in definition["properties"].items():
        if name in {"apiVersion", "kind"}:
            continue
        inner = _definition(schema, field)
        listed = _definition(schema, field.get("items", {}))
        needed = "required" if name in definition.get("required", ()) else _default(field)
        told = field.get("description") or (inner or {}).get("description", "")
        kind = "list of fields" if listed else "fields" if inner and "examples" not in field else _type(field)
        yield f"`{path}{name}`", kind, needed, told
        if inner or listed:
            yield from _fields(schema, inner or listed or {}, f"{path}{name}{'[]' if listed else ''}.")


def _definition(schema: dict[str, Any], field: dict[str, Any]) -> dict[str, Any] | None:
    """The definition a field refers to, by itself or as the one alternative to null."""
    for option in [field, *field.get("anyOf", ())]:
        if "$ref" in option:
            found: dict[str, Any] = schema["$defs"][option["$ref"].rpartition("/")[2]]
            return found
    return None


def _type(field: dict[str, Any]) -> str:
    """A type in a few words."""
    if field.get("examples"):
        return "such as " + ", ".join(f"`{json.dumps(example).strip(chr(34))}`" for example in field["examples"])
    if "anyOf" in field:
        return " or ".join(_type(option) for option in field["anyOf"] if option != {"type": "null"})
    if "enum" in field or "const" in field:
        return ", ".join(f"`{value}`" for value in field.get("enum", [field.get("const")]))
    if field.get("type") == "array":
        kind = _type(field.get("items", {}))
        return f"list of {kind}" if kind.endswith("`") else f"list of {kind}s"
    if field.get("type") == "object":
        return f"{_type(field['additionalProperties'])}s by name"
    names = {"string": "text", "integer": "whole number", "number": "number", "boolean": "`true`, `false`"}
    return names.get(field.get("type", ""), "nothing" if field.get("type") == "null" else "anything") + _limits(field)


def _limits(field: dict[str, Any]) -> str:
    words = {"minimum": "from", "maximum": "to", "exclusiveMinimum": "above", "exclusiveMaximum": "below"}
    limits = [f"{word} {field[key]:g}" for key, word in words.items() if key in field]
    return f", {' '.join(limits)}" if limits else ""


def _default(field: dict[str, Any]) -> str:
    value = field.get("default")
    if value is None or isinstance(value, dict | list):
        return ""
    if "30s" in field.get("examples", ()):
        return f"`{format_duration(value)}`"
    return f"`{str(value).lower() if isinstance(value, bool) else value}`"


def command_line() -> str:
    """docs/cli.md."""
    from longshore.cli.kinds import KINDS as READ

    kinds = ", ".join(f"{kind.plural} (`{kind.short}`)" for kind in READ)
    known = list(commands())
    index = _table(
        ("command", ""), [(f"[`{path}`](#{path.replace(' ', '-')})", _first(command)) for path, command in known]
    )
    return "\n".join([CLI.replace("{kinds}", kinds), index, *(_command(path, command) for path, command in known)])


def _first(command: Any) -> str:
    """The first sentence of a command's help."""
    return " ".join(command.help.split()).partition(". ")[0].rstrip(".")


def commands() -> Iterator[tuple[str, Any]]:
    """Every command with the words that call it."""

    def walk(group: Any, words: str) -> Iterator[tuple[str, Any]]:
        for name, command in group.commands.items():
            if hasattr(command, "commands"):
                yield from walk(command, f"{words} {name}")
            else:
                yield f"{words} {name}", command

    return walk(typer.main.get_command(app), "longshore")


def _command(path: str, command: Any) -> str:
    """A section: what it does, its arguments and options."""
    arguments = [parameter for parameter in command.params if parameter.param_type_name == "argument"]
    usage = " ".join([path, *(_argument(argument) for argument in arguments), "[OPTIONS]"])
    rows = [(f"`{_argument(argument)}`", "", argument.help or "") for argument in arguments]
    options = [option for option in command.params if option.param_type_name == "option" and option.name != "help"]
    rows += [(_option(option), _option_default(option), option.help or "") for option in options]
    table = _table(("", "default", ""), rows) if rows else ""
    return f"## {path}\n\n```\n{usage}\n```\n\n{' '.join(command.help.split())}\n\n{table}".rstrip() + "\n"


def _argument(argument: Any) -> str:
    name = argument.metavar or argument.name.upper()
    return name if argument.required else f"[{name}]"


def _option(option: Any) -> str:
    return ", ".join(f"`{name}`" for name in option.opts)


def _option_default(option: Any) -> str:
    if option.required:
        return "required"
    if option.default is None or option.default is False or option.default == ():
        return ""
    return f"`{option.default}`"


def _table(head: tuple[str, ...], rows: list[tuple[str, ...]]) -> str:
    lines = [head, tuple("---" for _ in head), *rows]
    return "".join("| " + " | ".join(cell.replace("|", "\\|") for cell in line) + " |\n" for line in lines)


if __name__ == "__main__":
    (HERE / "manifests.md").write_text(manifests())
    (HERE / "cli.md").write_text(command_line())
