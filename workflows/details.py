"""What operators see in Temporal's UI: summaries, the batch ladder in Markdown, typed search attributes."""

from temporalio import workflow
from temporalio.common import SearchAttributeKey, SearchAttributePair, TypedSearchAttributes

with workflow.unsafe.imports_passed_through():
    from longshore.planning.deployment.revisions import DeploymentState
    from longshore.planning.operation import Decision, OperationOrder
    from longshore.planning.words import BatchProgress, CheckProgress, OperationKind, Phase, Progress

DEPLOYMENT = SearchAttributeKey.for_keyword("LongshoreDeployment")
MODEL = SearchAttributeKey.for_keyword("LongshoreModel")
TARGET = SearchAttributeKey.for_keyword("LongshoreTarget")
PHASE = SearchAttributeKey.for_keyword("LongshorePhase")
REVISION = SearchAttributeKey.for_int("LongshoreRevision")

MARKS = {"done": "✓", "waiting": "○", "undone": "✗"}
"""Of batches that nothing is done for at the moment."""
REVISIONS_SHOWN = 10


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
        OperationKind.RELEASE: "give up warm copies",
        OperationKind.ADOPT: f"take over version {order.new.version} as it is, {copies}",
    }
    move = f"version {order.old.version if order.old else 'none'} → {order.new.version}, {copies}"
    return f"{where}: {acts.get(order.kind, move)}, asked by {order.actor}"


def ladder(decision: Decision) -> str:
    """The operation as it stands, in Markdown. Columns are a code block: the UI draws tables without any gaps."""
    progress = decision.progress
    lines = [f"**{decision.phase.value}**" + (f" · {decision.reason}" if decision.reason else "")]
    if decision.message:
        lines += ["", decision.message]
    drawn = [
        *_drawn("batches", [_batch(batch) for batch in progress.batches]),
        *_drawn("copies", [_ready(version, progress) for version in sorted(progress.copies)]),
        *_drawn("traffic", [f"version {v}  {_bar(share)} {share}%" for v, share in sorted(progress.traffic.items())]),
        *_drawn("checks", _checks(progress.checks)),
    ]
    return "\n".join([*lines, "", "```", *drawn, "```"] if drawn else lines)


def waiting(decision: Decision) -> str:
    """What a timer of an operation is for, in a word or two."""
    doing = next((batch for batch in decision.progress.batches if batch.state not in MARKS), None)
    return decision.reason or (f"batch {doing.number} {doing.state}" if doing else decision.phase.value)


def standing(state: DeploymentState) -> str:
    """A deployment as it stands, in Markdown."""
    stable = state.stable_revision
    serves = f"serves version **{stable.version}** (revision {stable.number})" if stable else "has no stable revision"
    under_way = f"`{state.operation.id}` is under way." if state.operation else "Nothing is under way."
    history = [
        f"{revision.number:>3}  version {revision.version}  {revision.phase.value}{', held' if revision.held else ''}"
        for revision in reversed(state.revisions[-REVISIONS_SHOWN:])
    ]
    drawn = ["", "```", *_drawn("revisions", history), "```"] if history else []
    return "\n".join([f"**{state.name}** {serves}. {under_way}", *drawn])


def _drawn(title: str, lines: list[str]) -> list[str]:
    return [title, *(f"  {line}" for line in lines)] if lines else []


def _batch(batch: BatchProgress) -> str:
    size = f"+{batch.add} -{batch.remove}" if batch.remove else f"+{batch.add}"
    then = f", then {batch.then}" if batch.then else ""
    return f"{MARKS.get(batch.state, '●')} {batch.number}  {size}  to {batch.weight:>3}%  {batch.state}{then}"


def _ready(version: str, progress: Progress) -> str:
    return f"version {version}  {progress.ready.get(version, 0)} of {progress.copies[version]} ready"


def _bar(share: int) -> str:
    return "█" * round(share / 5)


def _checks(checks: tuple[CheckProgress, ...]) -> list[str]:
    width = max((len(check.name) for check in checks), default=0)
    return [_check(check, width) for check in checks]


def _check(check: CheckProgress, width: int) -> str:
    unit = " ms" if check.metric.startswith("latency") else ""
    value = "" if check.value is None else f" {check.value:.4g}{unit}"
    outcome = "not yet" if check.outcome == "notYet" else check.outcome
    return f"{check.name:{width}}  {check.metric}{value} {check.threshold}: {outcome}"
