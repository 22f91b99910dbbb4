"""What operators see in Temporal's UI: summaries, the batch ladder in Markdown, typed search attributes."""

from temporalio import workflow
from temporalio.common import SearchAttributeKey, SearchAttributePair, TypedSearchAttributes

with workflow.unsafe.imports_passed_through():
    from longshore.planning.deployment import DeploymentState
    from longshore.planning.operation import Decision, OperationOrder
    from longshore.planning.words import OperationKind, Phase

DEPLOYMENT = SearchAttributeKey.for_keyword("LongshoreDeployment")
MODEL = SearchAttributeKey.for_keyword("LongshoreModel")
TARGET = SearchAttributeKey.for_keyword("LongshoreTarget")
PHASE = SearchAttributeKey.for_keyword("LongshorePhase")
REVISION = SearchAttributeKey.for_int("LongshoreRevision")

MARKS = {"done": "✓", "waiting": "·", "undone": "↩"}


def attributes(order: OperationOrder) -> TypedSearchAttributes:
    """The search attributes an operation starts with."""
    pairs: list[SearchAttributePair[str] | SearchAttributePair[int]] = [
        SearchAttributePair(DEPLOYMENT, order.deployment),
        SearchAttributePair(MODEL, order.model),
        SearchAttributePair(TARGET, order.target),
        SearchAttributePair(PHASE, Phase.PENDING.value),
    ]
    if order.revision is not None:
        pairs.append(SearchAttributePair(REVISION, order.revision))
    return TypedSearchAttributes(pairs)


def summary(order: OperationOrder) -> str:
    """One line for the list of workflows: `digits on workstation: version 1 → 2, 4 copies, asked by admin`."""
    where, copies = f"{order.deployment} on {order.target}", f"{order.spec.copies} copies"
    acts = {
        OperationKind.ONBOARD: f"onboard version {order.new.version}, {copies}",
        OperationKind.SCALE: f"scale to {copies}",
        OperationKind.RETIRE: "retire",
    }
    move = f"version {order.old.version if order.old else 'none'} → {order.new.version}, {copies}"
    return f"{where}: {acts.get(order.kind, move)}, asked by {order.actor}"


def ladder(order: OperationOrder, decision: Decision) -> str:
    """The operation as it stands, in Markdown."""
    progress = decision.progress
    lines = [f"**{decision.phase.value}**" + (f" · {decision.reason}" if decision.reason else "")]
    if decision.message:
        lines += ["", decision.message]
    if progress.batches:
        lines += ["", f"| batch | of {order.new.version} | weight | |", "|---|---|---|---|"]
        lines += [
            f"| {MARKS.get(batch.state, '▶')} {batch.number} | +{batch.add} | {batch.weight}% | {batch.state} |"
            for batch in progress.batches
        ]
    if progress.checks:
        lines += ["", "| check | value | wanted | |", "|---|---|---|---|"]
        lines += [
            f"| {check.name} | {'-' if check.value is None else f'{check.value:.4g}'} | {check.threshold} "
            f"| {check.outcome} |"
            for check in progress.checks
        ]
    ready = ", ".join(f"version {version}: {count}" for version, count in sorted(progress.ready.items())) or "none"
    traffic = ", ".join(f"version {version}: {share}%" for version, share in sorted(progress.traffic.items()))
    return "\n".join([*lines, "", f"Ready: {ready}. Traffic: {traffic or 'none'}."])


def standing(state: DeploymentState) -> str:
    """A deployment as it stands, in Markdown."""
    stable = state.stable_revision
    serves = f"serves version **{stable.version}** (revision {stable.number})" if stable else "has no stable revision"
    under_way = f"`{state.operation.id}` is under way." if state.operation else "Nothing is under way."
    history = [
        f"| {revision.number} | {revision.version} | {revision.phase.value} | {'held' if revision.held else ''} |"
        for revision in reversed(state.revisions[-10:])
    ]
    table = ["", "| revision | version | ended | |", "|---|---|---|---|", *history] if history else []
    return "\n".join([f"**{state.name}** {serves}. {under_way}", *table])
