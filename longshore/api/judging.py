"""What applying documents would do, judged against each other and the store before anything changes. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from longshore.api.judging_checks import unmeasurable
from longshore.api.problems import FieldProblem
from longshore.api.requests import ApplyBody, Source
from longshore.planning.servable import undelegated, unservable
from longshore.spec.checking import DocumentError, check, did_you_mean, identity
from longshore.spec.deployment import DeploymentSpec
from longshore.spec.documents import Deployment, Document, Freeze, ModelVersion, Target
from longshore.spec.freeze import FreezeSpec
from longshore.spec.model_version import ModelVersionSpec
from longshore.spec.problems import field_name
from longshore.spec.target import TargetSpec
from longshore.store.records import DeploymentRow

Result = Literal["created", "changed", "unchanged"]
MOST_DIFFERENCES = 5
"""Named in one message; more are counted."""


@dataclass(frozen=True)
class Given:
    """A valid document, and where it stood."""

    index: int
    document: Document
    source: Source | None

    @property
    def kind(self) -> str:
        """Its kind."""
        return identity(self.document)[0]

    @property
    def name(self) -> str:
        """Its name; of a model version, `MODEL/VERSION`."""
        return identity(self.document)[1]

    def problem(self, path: str | None, message: str) -> FieldProblem:
        """A problem of this document."""
        return field_problem(self.index, self.source, path, message)


@dataclass(frozen=True)
class Stored:
    """What is stored of everything that the documents name."""

    targets: Mapping[str, TargetSpec]
    versions: Mapping[tuple[str, str], ModelVersionSpec]
    deployments: Mapping[str, DeploymentRow]
    freezes: Mapping[str, FreezeSpec] = field(default_factory=dict)


@dataclass(frozen=True)
class Verdict:
    """What would come of one document."""

    result: Result
    message: str


@dataclass
class Judgement:
    """What would come of all documents, or why nothing may."""

    verdicts: dict[int, Verdict] = field(default_factory=dict)
    """By index."""
    invalid: list[FieldProblem] = field(default_factory=list)
    """What the documents lack."""
    conflicts: list[FieldProblem] = field(default_factory=list)
    """What contradicts the store."""


def read(body: ApplyBody) -> tuple[list[Given], list[FieldProblem]]:
    """Every valid document, and every problem of the others; two of one name are a problem too."""
    sources = [None] * len(body.documents) if body.sources is None else body.sources
    given: list[Given] = []
    problems: list[FieldProblem] = []
    if len(sources) != len(body.documents):
        problems.append(FieldProblem(field="sources", message="needs as many entries as there are documents"))
        return given, problems
    first: dict[tuple[str, str], int] = {}
    for index, (content, source) in enumerate(zip(body.documents, sources, strict=True)):
        try:
            document = check(content)
        except DocumentError as error:
            problems += [field_problem(index, source, field_name(path), said) for path, said in error.problems]
            continue
        kind, name = identity(document)
        if (earlier := first.setdefault((kind, name), index)) != index:
            message = f"{kind} {name} is already given as document {earlier}: remove one"
            problems.append(field_problem(index, source, None, message))
        given.append(Given(index, document, source))
    return given, problems


def judge(given: Sequence[Given], stored: Stored) -> Judgement:
    """Judge every document."""
    judgement = Judgement()
    targets = targets_of(given, stored)
    deployments = set(stored.deployments) | {one.name for one in given if isinstance(one.document, Deployment)}
    versions = dict(stored.versions) | {
        (one.document.metadata.model, one.document.metadata.version): one.document.spec
        for one in given
        if isinstance(one.document, ModelVersion)
    }
    for one in given:
        if isinstance(one.document, Target):
            _judge_target(one, one.document, stored, judgement)
        elif isinstance(one.document, ModelVersion):
            _judge_version(one, one.document, stored, judgement)
        elif isinstance(one.document, Freeze):
            _judge_freeze(one, one.document, stored, judgement)
            _judge_names(one, "deployment", one.document.spec.deployments, deployments, judgement)
            _judge_names(one, "target", one.document.spec.targets, set(targets), judgement)
        else:
            _judge_references(one, one.document.spec, set(targets), set(versions), judgement)
            if target := targets.get(one.document.spec.target):
                found = unmeasurable(one.document.spec, target)
                judgement.invalid += [one.problem(field, message) for field, message in found]
                _judge_serving(one, one.document.spec, target, versions, judgement)
            _judge_deployment(one, one.document, stored, judgement)
    return judgement


def targets_of(given: Sequence[Given], stored: Stored) -> dict[str, TargetSpec]:
    """Every target by its name, as it will be."""
    return dict(stored.targets) | {one.name: one.document.spec for one in given if isinstance(one.document, Target)}


def _judge_target(one: Given, document: Target, stored: Stored, judgement: Judgement) -> None:
    old, new = stored.targets.get(one.name), document.spec
    if old is not None and old.backend != new.backend:
        message = f"target {one.name} is {old.backend}, and a target's backend never changes: use another name"
        judgement.conflicts.append(one.problem("spec.backend", message))
        return
    judgement.verdicts[one.index] = _compared(document, document.metadata, old)


def _judge_version(one: Given, document: ModelVersion, stored: Stored, judgement: Judgement) -> None:
    old = stored.versions.get((document.metadata.model, document.metadata.version))
    if found := differences(document.model_copy(update={"spec": old or document.spec}), document):
        path, was, now = found[0]
        message = f"{one.name} is registered with {was}, not {now}; versions are immutable: use a new version"
        judgement.conflicts.append(one.problem(path, message))
        return
    judgement.verdicts[one.index] = _compared(document, document.metadata, old)


def _judge_freeze(one: Given, document: Freeze, stored: Stored, judgement: Judgement) -> None:
    judgement.verdicts[one.index] = _compared(document, document.metadata, stored.freezes.get(one.name))


def _judge_names(one: Given, kind: str, names: Sequence[str], known: set[str], judgement: Judgement) -> None:
    """A freeze for what is not there would hold nothing, and nobody would notice."""
    for index, name in enumerate(names):
        if name not in known:
            cure = did_you_mean(name, sorted(known)) or f"longshore get {kind}s lists those there are"
            message = f"there is no {kind} {name}: {cure}"
            judgement.invalid.append(one.problem(f"spec.{kind}s[{index}]", message))


def _judge_references(
    one: Given, spec: DeploymentSpec, targets: set[str], versions: set[tuple[str, str]], judgement: Judgement
) -> None:
    if spec.target not in targets:
        message = f"there is no target {spec.target}: apply a Target document of that name, or before this one"
        judgement.invalid.append(one.problem("spec.target", message))
    if (spec.model, spec.version) not in versions:
        known = sorted(version for model, version in versions if model == spec.model)
        cure = f"registered are {', '.join(known)}" if known else "none of this model is registered"
        message = f"there is no version {spec.version} of model {spec.model}: {cure}"
        judgement.invalid.append(one.problem("spec.version", message))


def _judge_serving(
    one: Given,
    spec: DeploymentSpec,
    target: TargetSpec,
    versions: Mapping[tuple[str, str], ModelVersionSpec],
    judgement: Judgement,
) -> None:
    if refused := undelegated(spec, target):
        judgement.invalid.append(one.problem(*refused))
    classic = target.sagemaker is not None and target.sagemaker.endpoint is None
    if spec.scaling is not None and (target.backend == "local" or classic):
        what = "has an endpoint for each deployment" if classic else "is local"
        message = f"target {spec.target} {what}, and its copies are not scaled by a policy: remove scaling"
        judgement.invalid.append(one.problem("spec.scaling", message))
    version = versions.get((spec.model, spec.version))
    if version is not None and (found := unservable(version, target)):
        field, why = found
        message = f"version {spec.version} of {spec.model} cannot be served on {spec.target} ({field}): {why}"
        judgement.invalid.append(one.problem("spec.version", message))


def _judge_deployment(one: Given, document: Deployment, stored: Stored, judgement: Judgement) -> None:
    row = stored.deployments.get(one.name)
    if row is None or row.retired:
        judgement.verdicts[one.index] = Verdict("created", f"onboards {document.spec.model} {document.spec.version}")
        return
    for name in ("model", "target"):
        was, now = getattr(row, name), getattr(document.spec, name)
        if was != now:
            message = f"{one.name} has {name} {was}, which never changes: deploy {now} under another name"
            judgement.conflicts.append(one.problem(f"spec.{name}", message))
            return
    accepted = row.spec
    if row.rollout_to and document.spec.version == row.rollout_to["version"]:
        accepted = accepted.model_copy(update={"version": document.spec.version})  # that much is under way already
    metadata = document.metadata.model_copy(update={"labels": row.labels})
    judgement.verdicts[one.index] = _compared(document, metadata, accepted)


def _compared(document: Document, metadata: Any, spec: Any) -> Verdict:
    """What changes from the stored metadata and spec to the document's; nothing is stored when `spec` is None."""
    if spec is None:
        return Verdict("created", "new")
    found = differences(document.model_copy(update={"metadata": metadata, "spec": spec}), document)
    if not found:
        return Verdict("unchanged", "as it is")
    told = [f"{path} {was} → {now}" for path, was, now in found[:MOST_DIFFERENCES]]
    more = len(found) - len(told)
    return Verdict("changed", ", ".join(told) + (f" and {more} more" if more else ""))


def differences(old: Document, new: Document) -> list[tuple[str, str, str]]:
    """The fields in which two documents differ, as (path, old, new) in the words of the manifest."""
    before, after = (_leaves(document.model_dump(mode="json", by_alias=True)) for document in (old, new))
    return [
        (field_name(path), _told(before.get(path)), _told(after.get(path)))
        for path in dict.fromkeys([*before, *after])
        if before.get(path) != after.get(path)
    ]


def field_problem(index: int, source: Source | None, path: str | None, message: str) -> FieldProblem:
    """A problem of the document of this index."""
    return FieldProblem(
        document=index,
        file=source.file if source else None,
        line=source.line if source else None,
        field=path or None,
        message=message,
    )


def _leaves(value: Any, path: tuple[str | int, ...] = ()) -> dict[tuple[str | int, ...], Any]:
    """Every value that is neither a container nor null, by its path."""
    if isinstance(value, (dict, list)):
        children = value.items() if isinstance(value, dict) else enumerate(value)
        return {inner: leaf for key, child in children for inner, leaf in _leaves(child, (*path, key)).items()}
    return {} if value is None else {path: value}


def _told(value: Any) -> str:
    return "nothing" if value is None else str(value)
