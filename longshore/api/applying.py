"""Applying documents: all judged first, then targets, model versions, freezes and deployments, in that order."""

import asyncio
from collections.abc import Iterable, Sequence
from http import HTTPStatus

from pydantic import BaseModel

from longshore.api.answers import Applied, ApplyAnswer
from longshore.api.authorisation import require
from longshore.api.controlling import record_refusal
from longshore.api.delegating import with_implied
from longshore.api.dependencies import Dependencies
from longshore.api.judging import Given, Judgement, Result, Stored, judge, read, targets_of
from longshore.api.problems import FieldProblem, ProblemError, conflict
from longshore.api.repeating import Change
from longshore.api.requests import ApplyBody
from longshore.api.temporal import RefusedError
from longshore.messages import ApplyRequest, Refusal, VersionFacts, operation_id
from longshore.planning import outside
from longshore.planning.words import OperationKind
from longshore.spec.documents import Deployment, Freeze, ModelVersion, Target
from longshore.spec.model_version import ModelVersionSpec

AT_ONCE = 8
"""Deployments applied at the same time: enough to hide the way to Temporal, too few to flood a worker."""


async def apply(deps: Dependencies, body: ApplyBody, asked: Change) -> ApplyAnswer:
    """Apply documents. A freeze that is there is changed only by who may override it: else its change would be a way.

    Raises:
        ProblemError: 422, 409 or 403 before anything changed; 409 with what was done when a deployment was refused.
        TemporalUnavailableError: no answer; the same key again goes on where this ended.
    """
    given, stored, judgement = await judged(deps, body)
    for one in given:
        if isinstance(one.document, Freeze) and judgement.verdicts[one.index].result == "changed":
            require("override", asked.actor, asked.roles, f"change freeze {one.name}, which holds rollouts")
    applied = await _apply_registered(deps, given, judgement, asked.actor)
    applied |= await _apply_deployments(deps, given, stored, asked, take=body.take)
    return ApplyAnswer(items=tuple(applied[one.index] for one in given), dry_run=False)


async def preview(deps: Dependencies, body: ApplyBody) -> ApplyAnswer:
    """Say what would come of applying documents, and change nothing.

    Raises:
        ProblemError: 422 or 409, as applying them would.
    """
    given, _, judgement = await judged(deps, body)
    verdicts = [(one, judgement.verdicts[one.index]) for one in given]
    return ApplyAnswer(items=tuple(_applied(one, said.result, said.message) for one, said in verdicts), dry_run=True)


async def judged(deps: Dependencies, body: ApplyBody) -> tuple[list[Given], Stored, Judgement]:
    """The documents, what is stored of all they name, and what would come of them.

    Raises:
        ProblemError: something must not be applied.
    """
    given, problems = read(body)
    _raise_invalid(problems)
    stored = await _stored(deps, given)
    given = with_implied(given, targets_of(given, stored))
    judgement = judge(given, stored)
    _raise_invalid(judgement.invalid)
    if judgement.conflicts:
        raise conflict(_summary(judgement.conflicts), judgement.conflicts)
    return given, stored, judgement


async def _stored(deps: Dependencies, given: Iterable[Given]) -> Stored:
    """Read what is stored of everything that the documents name."""
    documents = [one.document for one in given]
    deployments = [document for document in documents if isinstance(document, Deployment)]
    wanted = {(document.spec.model, document.spec.version) for document in deployments}
    wanted |= {(one.metadata.model, one.metadata.version) for one in documents if isinstance(one, ModelVersion)}
    models = {model for model, _ in wanted}
    freezes = [document for document in documents if isinstance(document, Freeze)]
    named = {document.metadata.name for document in deployments}
    if any(document.spec.deployments for document in freezes):
        named |= set(await deps.store.deployments.names())
    return Stored(
        targets={row.name: row.spec for row in await deps.store.targets.list()},
        versions={
            (row.model, row.version): row.spec
            for model in sorted(models)
            for row in await deps.store.models.list(model)
        },
        deployments={row.name: row for row in await deps.store.deployments.rows(named)},
        freezes={row.name: row.spec for row in await deps.store.freezes.list()} if freezes else {},
    )


async def _apply_registered(
    deps: Dependencies, given: Iterable[Given], judgement: Judgement, actor: str
) -> dict[int, Applied]:
    """Register targets, then model versions, then freezes, which thus hold the deployments that come with them."""
    order = (Target, ModelVersion, Freeze, Deployment)
    ordered = sorted(given, key=lambda one: order.index(type(one.document)))
    applied: dict[int, Applied] = {}
    for one in ordered:
        document, verdict = one.document, judgement.verdicts[one.index]
        if isinstance(document, Target):
            changed = await deps.store.targets.put(document.metadata.name, document.spec, actor)
        elif isinstance(document, ModelVersion):
            metadata = document.metadata
            changed = await deps.store.models.put(metadata.model, metadata.version, document.spec, actor)
        elif isinstance(document, Freeze):
            changed = await deps.store.freezes.put(document.metadata.name, document.spec, actor)
        else:
            continue
        result: Result = verdict.result if changed else "unchanged"
        applied[one.index] = _applied(one, result, verdict.message if changed else "as it is")
    return applied


async def _apply_deployments(
    deps: Dependencies, given: Iterable[Given], stored: Stored, by: Change, *, take: bool
) -> dict[int, Applied]:
    """Hand every deployment to its workflow; one that is refused does not keep the others.

    Raises:
        ProblemError: some were refused.
    """
    facts = {
        (one.document.metadata.model, one.document.metadata.version): one.document.spec
        for one in given
        if isinstance(one.document, ModelVersion)
    } | dict(stored.versions)
    turn = asyncio.Semaphore(AT_ONCE)

    async def hand_over(one: Given, document: Deployment) -> Applied | Refusal:
        name, spec = document.metadata.name, document.spec
        request = ApplyRequest(
            actor=by.actor,
            key=f"{by.key}:{one.index}",
            name=name,
            labels=document.metadata.labels,
            spec=spec,
            facts=facts_of(spec.version, facts[spec.model, spec.version]),
            take=take,
        )
        async with turn:
            try:
                answer = await deps.workflows.apply(request)
            except RefusedError as error:
                await record_refusal(deps, name, "apply", request, error.refusal)
                return error.refusal
        if answer.held:
            await record_refusal(deps, name, "apply", request, Refusal(reason="Held", message=answer.message))
        onboarded = operation_id(name, OperationKind.ONBOARD, 0).removesuffix("0")
        created = answer.operation is not None and answer.operation.startswith(onboarded)
        result: Result = "unchanged" if not answer.changed else "created" if created else "changed"
        message = answer.message if answer.changed else await _with_changes(deps, name, answer.message)
        return _applied(one, result, message, answer.revision, answer.operation)

    asked = [(one, one.document) for one in given if isinstance(one.document, Deployment)]
    answers = await asyncio.gather(*(hand_over(*pair) for pair in asked), return_exceptions=True)
    applied: dict[int, Applied] = {}
    refusals: list[tuple[Given, Refusal]] = []
    for (one, _), answer in zip(asked, answers, strict=True):
        if isinstance(answer, BaseException):
            raise answer
        if isinstance(answer, Refusal):
            refusals.append((one, answer))
        else:
            applied[one.index] = answer
    if refusals:
        raise refused(refusals, list(applied.values()))
    return applied


async def _with_changes(deps: Dependencies, name: str, message: str) -> str:
    """What is said where nothing is to be done; with what somebody else changed, which is nevertheless not undone."""
    view = await deps.store.deployments.view(name)
    if view is None or not view.differences:
        return message
    return f"{message}, but {outside.told(view.differences)}; {outside.cures(name)}"


def facts_of(version: str, spec: ModelVersionSpec) -> VersionFacts:
    """What decisions need of a model version."""
    return VersionFacts(
        version=version,
        resources=spec.resources,
        side_by_side=spec.side_by_side,
        smoke=spec.server.smoke is not None,
    )


def _applied(
    one: Given, result: Result, message: str, revision: int | None = None, operation: str | None = None
) -> Applied:
    return Applied(
        kind=one.document.kind, name=one.name, result=result, message=message, revision=revision, operation=operation
    )


def _raise_invalid(problems: list[FieldProblem]) -> None:
    if problems:
        raise ProblemError(HTTPStatus.UNPROCESSABLE_ENTITY, "InvalidManifest", _summary(problems), errors=problems)


def refused(refusals: Sequence[tuple[Given, Refusal]], done: Sequence[BaseModel]) -> ProblemError:
    """Deployments that were refused, beside what came of the others."""
    problems = [one.problem(None, f"{one.name}: {refusal.message}") for one, refusal in refusals]
    return ProblemError(
        HTTPStatus.CONFLICT,
        refusals[0][1].reason,
        _summary(problems),
        kind="refused",
        errors=problems,
        items=[one.model_dump(mode="json", by_alias=True) for one in done],
    )


def _summary(problems: list[FieldProblem]) -> str:
    """The first problem in full, and how many more there are."""
    first = problems[0]
    said = f"{first.field}: {first.message}" if first.field else first.message
    more = len(problems) - 1
    return said + (f" (and {more} more)" if more else "")
