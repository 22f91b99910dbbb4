"""Plans for people: what would be done, what it takes, and where it fits."""

from typing import Any

from longshore.cli.output import Column, one_line, table
from longshore.spec.quantities import format_duration

_BAR = 20
"""Characters of a hundred percent."""


def plan_text(plan: dict[str, Any]) -> str:
    """One plan: a line that says what, the batches, and what they take."""
    lines = [_head(plan)]
    if plan["batches"]:
        rungs = [{**batch, "number": number} for number, batch in enumerate(plan["batches"], 1)]
        lines += ["", *(f"  {line}" for line in table(rungs, BATCHES).splitlines())]
    if plan["operation"]:
        lines += ["", *(f"  {name:<13}{text}" for name, text in _facts(plan))]
    return "\n".join(lines) + "\n"


def _head(plan: dict[str, Any]) -> str:
    """`deployment/codegen: rollout to version 2, rolling (nothing speaks against it)`."""
    name = f"deployment/{plan['deployment']}"
    if plan["operation"] is None:
        return one_line(f"{name}: {plan['reason']}" if plan["changed"] else f"{name}: no change ({plan['reason']})")
    how = f", {plan['strategy']}" if plan["strategy"] else ""
    why = f" ({plan['reason']})" if plan["fits"] else ""
    goal = "of" if plan["operation"] == "scale" else "to"
    return one_line(f"{name}: {plan['operation']} {goal} version {plan['version']}{how}{why}")


def _weight(batch: dict[str, Any]) -> str:
    return f"{batch['weight']:>3}%  {'█' * round(batch['weight'] * _BAR / 100)}".rstrip()


BATCHES = (
    Column("BATCH", lambda batch: str(batch["number"])),
    Column("ADD", lambda batch: f"+{batch['add']}"),
    Column("REMOVE", lambda batch: f"-{batch['remove']}"),
    Column("TRAFFIC", _weight),
)


def _facts(plan: dict[str, Any]) -> list[tuple[str, str]]:
    dip = f", {plan['dip']} fewer than now" if plan["dip"] else ""
    held = [("frozen", one_line(plan["frozen"]))] if plan["frozen"] else []
    return [
        *held,
        ("accelerators", f"{plan['peakAccelerators']} at most, {plan['extraAccelerators']} more than now"),
        ("ready", f"{_copies(plan['lowestReady'])} at least{dip}"),
        ("fits", one_line(_fit(plan))),
        ("takes", _time(plan)),
        *_rent(plan),
    ]


def _rent(plan: dict[str, Any]) -> list[tuple[str, str]]:
    """The instances where they are rented, and what they cost; a server of an older release tells neither."""
    instances, cost = plan.get("instances"), plan.get("costPerHour")
    if not instances:
        return []
    told = f"{instances['before']} of {instances['type']} now, {instances['peak']} at most, {instances['after']} after"
    if not cost:
        return [("instances", told), ("costs", one_line(f"not known: {plan['unpriced']}"))]
    currency = cost["currency"]
    rates = f"{cost['before']:.2f} {currency} an hour now, {cost['peak']:.2f} at most, {cost['after']:.2f} after"
    extra = plan["extraCost"]
    once = "" if extra is None else f"; {extra:.2f} {currency} more than now until it is over"
    return [("instances", told), ("costs", f"{rates}{once} (prices of {cost['priced']})")]


def _fit(plan: dict[str, Any]) -> str:
    if not plan["fits"]:
        lost = plan["unplaced"]
        return (
            f"no, {_copies(lost)} {'finds' if lost == 1 else 'find'} no host: {plan['reason']}"
            if lost
            else (f"no: {plan['reason']}")
        )
    hosts = ", ".join(f"{host} {copies}" for host, copies in plan["placement"].items())
    return f"yes; in the end {hosts}" if hosts else "yes"


def _time(plan: dict[str, Any]) -> str:
    seconds, held = plan["estimatedSeconds"], plan["extraAcceleratorSeconds"]
    if seconds is None:
        return "not known: the version was never seen to start there"
    once = "" if plan["fits"] else " once there is room"
    cost = f", and {format_duration(round(held))} of accelerator time more than now" if held else ""
    return f"{format_duration(round(seconds))}{once}{cost}"


def _copies(count: int) -> str:
    return f"{count} {'copy' if count == 1 else 'copies'}"
