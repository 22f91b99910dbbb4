"""One deployment in full, for people."""

from typing import Any

from longshore.cli.kinds import COPY, DEPLOYMENT, REVISION, plain, when
from longshore.cli.ladder import ladder_text
from longshore.cli.output import Column, table

DIFFERENCE = (
    Column("VERSION", plain("version")),
    Column("WHAT", plain("what")),
    Column("WANTED", plain("wanted")),
    Column("FOUND", plain("found")),
)


def description(detail: dict[str, Any]) -> str:
    """The deployment's own fields, then what others changed, its copies, revisions and latest operation."""
    deployment, spec = detail["deployment"], detail["spec"]
    fields = {column.head.capitalize(): column.cell(deployment) for column in DEPLOYMENT.columns}
    fields |= {
        "Labels": ", ".join(f"{name}={value}" for name, value in detail["labels"].items()) or "-",
        "Wanted": f"{spec['copies']} copies, version {spec['version']}",
        "Observed": when(detail["observedAt"]) if detail["observedAt"] else "never",
        "Temporal": deployment["temporalUrl"] or "-",
    }
    if detail["retired"]:
        fields["Retired"] = when(detail["updatedAt"])
    width = max(map(len, fields)) + 2
    parts = ["".join(f"{name + ':':{width}} {value}\n" for name, value in fields.items())]
    if detail["differences"]:
        parts.append("Changed by somebody else\n" + _indented(table(detail["differences"], DIFFERENCE)))
    if detail["copies"]:
        parts.append("Copies\n" + _indented(table(detail["copies"], COPY.columns)))
    if detail["revisions"]:
        parts.append("Revisions\n" + _indented(table(detail["revisions"], REVISION.columns)))
    if detail["operation"]:
        parts.append("Latest operation\n" + _indented(ladder_text(detail["operation"])))
    return "\n".join(parts)


def _indented(text: str) -> str:
    return "".join(f"  {line}\n" for line in text.splitlines())
