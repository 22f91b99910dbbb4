"""The serving ledger for people: who served, who asked for it, and what checks measured."""

from datetime import UTC, datetime
from typing import Any

from longshore.cli.kinds import instant, plain, shares, when
from longshore.cli.output import Column, View, one_line, table

Span = dict[str, Any]


def _shares(span: Span) -> str:
    return shares(span["shares"], "%") if span["shares"] else "nobody"


def _measured(span: Span) -> str:
    """`errors 0.001, slow 48.2 failed`: the last word of each check on this span."""
    latest = {check["check"]: check for check in span["checks"]}
    return ", ".join(f"{name} {_value(check)}{_unless_passed(check)}" for name, check in latest.items()) or "-"


def _unless_passed(check: dict[str, Any]) -> str:
    return "" if check["outcome"] == "passed" else f" {check['outcome']}"


def _value(check: dict[str, Any]) -> str:
    return "-" if check["value"] is None else f"{check['value']:.4g}"


LEDGER = View(
    columns=(
        Column("SINCE", instant("since")),
        Column("UNTIL", instant("until")),
        Column("SHARES", _shares),
        Column("OPERATION", plain("operation")),
        Column("BY", plain("actor")),
        Column("CHECKS", _measured),
        Column("CAUSE", plain("cause")),
    ),
    name=lambda span: f"ledger/{span['deployment']}/{span['since']}",
)
CHECKS = (
    Column("MEASURED", instant("at")),
    Column("CHECK", plain("check")),
    Column("OUTCOME", lambda check: check["outcome"] + ("" if check["enforced"] else " (observed)")),
    Column("VALUE", _value),
    Column("BASELINE", lambda check: "-" if check["baseline"] is None else f"{check['baseline']:.4g}"),
    Column("REQUESTS", plain("samples")),
    Column("MESSAGE", plain("message")),
)


def told(span: Span, at: str) -> str:
    """One span in full, for the instant that was asked for."""
    asked = datetime.fromisoformat(at).astimezone(UTC).isoformat()
    operation = span["operation"] or "-"
    if span["kind"]:
        operation += f" ({span['kind']} to revision {span['revision']})" if span["revision"] else f" ({span['kind']})"
    lines = {
        "At": when(asked),
        "Served": _shares(span),
        "Model": span["model"],
        "Since": when(span["since"]),
        "Until": when(span["until"]) if span["until"] else "now",
        "Asked by": span["actor"] or "-",
        "Operation": operation,
        "Cause": one_line(span["cause"]),
    }
    width = max(map(len, lines)) + 2
    parts = ["".join(f"{name + ':':{width}} {value}\n" for name, value in lines.items())]
    for title, checks in (("Checks before", span["checksBefore"]), ("Checks meanwhile", span["checks"])):
        if checks:
            parts.append(f"{title}\n" + "".join(f"  {line}\n" for line in table(checks, CHECKS).splitlines()))
    return "\n".join(parts)
