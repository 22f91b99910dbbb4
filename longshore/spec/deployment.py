"""A deployment: one model on one target, and how its rollouts go."""

from itertools import pairwise
from typing import Annotated, Any, Literal, Self

from pydantic import Field, ValidationInfo, WithJsonSchema, field_validator, model_validator

from longshore.spec.base import Spec
from longshore.spec.delegation import undelegable, unfit_batch
from longshore.spec.quantities import Amount, Duration, Name, Share, Version, of_copies, parse_duration
from longshore.spec.release import not_yet_fields
from longshore.spec.scaling import Scaling
from longshore.spec.sources import CloudWatch, Source

METRICS = r"^(error-rate|latency-p\d{1,2}(\.\d)?|accuracy|(cpu|memory|gpu|gpu-memory)-utilization)$"
_OF_REQUESTS = ("error-rate", "latency-")
"""Metrics of single requests begin so: their samples are requests, and two versions of them can be compared."""


Limit = Annotated[
    float,
    WithJsonSchema(
        {
            "anyOf": [{"type": "number"}, {"type": "string", "pattern": r"^(\d+(\.\d+)?(ms|s|m|h|d))+$"}],
            "examples": [0.01, "250ms"],
        }
    ),
]
"""A number; of a latency also a duration."""


class Check(Spec):
    """A measured condition watched while a batch bakes."""

    name: Name = Field(description="Names the check in events; differs from the others'.")
    metric: Annotated[str, Field(pattern=METRICS)] | None = Field(
        default=None,
        description="error-rate, latency-p50 … latency-p99.9, accuracy; from CloudWatch also cpu-utilization, "
        "memory-utilization, gpu-utilization and gpu-memory-utilization, in percent. Left out where the source names "
        "its own.",
    )
    max: Limit | None = Field(default=None, description="Largest good value; latency as `250ms`, or in milliseconds.")
    min: Limit | None = Field(default=None, description="Smallest good value.")
    compare: Literal["baseline"] | None = Field(default=None, description="Compare with the old version.")
    max_increase: Share | None = Field(default=None, description="Increase over the old version that is still good.")
    confidence: float = Field(default=0.95, gt=0.5, lt=1, description="Confidence of a comparison.")
    interval: Duration = Field(default=5.0, gt=0, description="Time between measurements, and the least window.")
    min_samples: int = Field(
        default=50,
        ge=1,
        description="Fewer requests than this are inconclusive; 1 where CloudWatch counts something else.",
    )
    failures: int = Field(default=0, ge=0, description="Failed measurements allowed.")
    errors: int = Field(default=4, ge=0, description="Consecutive could-not-measure allowed.")
    inconclusive: int = Field(default=0, ge=0, description="Inconclusive measurements allowed.")
    mode: Literal["enforce", "observe"] = Field(default="enforce", description="observe: measured and shown, no more.")
    during: Literal["bake", "rollout"] = Field(
        default="bake",
        description="bake: while a batch bakes, and in pauses. rollout: also in between, from the first traffic on.",
    )
    source: Annotated[
        Source | None,
        not_yet_fields("prometheus", "http", instead="the traffic plane (leave it out), golden or cloudwatch"),
    ] = Field(default=None, description="Left out: the traffic plane.")

    @model_validator(mode="before")
    @classmethod
    def _latencies_are_durations(cls, given: Any) -> Any:
        """`max: 250ms` of a latency is 250, its milliseconds."""
        if not (isinstance(given, dict) and str(given.get("metric", "")).startswith("latency-")):
            return given
        written = {name: given[name] for name in ("max", "min") if isinstance(given.get(name), str)}
        return {**given, **{name: parse_duration(text) * 1000 for name, text in written.items()}}

    @model_validator(mode="before")
    @classmethod
    def _cloudwatch_has_its_own_pace(cls, given: Any) -> Any:
        """Its data come once a period, and those of gauges are few: one for each copy and minute."""
        source = given.get("source") if isinstance(given, dict) else None
        asked = source.get("cloudwatch") if isinstance(source, dict) else None
        if not isinstance(asked, dict):
            return given
        paced = {"interval": asked.get("period", "1m"), **given}
        counts_requests = str(given.get("metric") or asked.get("statistic") or "").startswith((*_OF_REQUESTS, "p"))
        return paced if counts_requests or "min_samples" in paced else {"minSamples": 1, **paced}

    @model_validator(mode="after")
    def _has_a_condition(self) -> Self:
        if self.cloudwatch is not None and self.cloudwatch.alarm is not None:
            return self._of_an_alarm()
        if self.compare is None and self.max is None and self.min is None:
            raise ValueError("a check needs max, min, or compare: baseline with maxIncrease")
        if (self.compare is None) != (self.max_increase is None):
            raise ValueError("compare: baseline and maxIncrease go together")
        return self

    @model_validator(mode="after")
    def _fits_its_source(self) -> Self:
        asked = self.cloudwatch
        if (self.metric == "accuracy") != (self.golden is not None):
            raise ValueError("accuracy, and only accuracy, is measured from source: {golden: …}")
        if asked is None and (self.metric or "").endswith("-utilization"):
            raise ValueError(f"{self.metric} is measured from source: {{cloudwatch: {{}}}}")
        if self.metric is None and asked is None:
            raise ValueError("a check needs a metric: error-rate, or latency-p99, or accuracy")
        if (self.metric is None) != (asked is not None and not asked.ready_made):
            raise ValueError("metric is given once: here, or as source.cloudwatch.metric or alarm")
        if asked is not None and asked.alarm is None and self.interval < asked.period:
            raise ValueError("interval is at least source.cloudwatch.period: there is nothing new to measure before")
        if self.compare is not None and not self._comparable:
            raise ValueError("only error-rate, latencies and percentiles are compared with a baseline: use max or min")
        return self

    @property
    def golden(self) -> str | None:
        """The file of golden requests that it is measured from, if it is."""
        return self.source.golden if self.source else None

    @property
    def cloudwatch(self) -> CloudWatch | None:
        """What of CloudWatch it is measured from, if it is."""
        return self.source.cloudwatch if self.source else None

    @property
    def measured(self) -> str:
        """What is measured, in one word or two: the metric, or what the source calls its own."""
        asked = self.cloudwatch
        if asked is not None and asked.alarm is not None:
            return f"alarm {asked.alarm}"
        return self.metric or (f"{asked.metric} {asked.statistic}" if asked else "")

    @property
    def _comparable(self) -> bool:
        """Whether chance can be told from an increase: what is known of a gauge does not suffice for a test."""
        if self.metric is None:
            return self.cloudwatch is not None and (self.cloudwatch.statistic or "").startswith("p")
        return self.metric.startswith(_OF_REQUESTS)

    def _of_an_alarm(self) -> Self:
        if any(given is not None for given in (self.max, self.min, self.compare, self.max_increase)):
            raise ValueError("an alarm has its own threshold: remove max, min, compare and maxIncrease")
        return self


class OpenPause(Spec):
    """`{}`: a pause without an end of its own."""


class Approval(Spec):
    """Who may let a canary go on."""

    roles: tuple[str, ...] = Field(
        default=("approver",), min_length=1, description="Whoever approves must have one of these roles."
    )


class Step(Spec):
    """One step of a canary: a weight, a pause, or an approval."""

    weight: int | None = Field(default=None, ge=1, le=100, description="The new version's share of the traffic, in %.")
    copies: Amount | None = Field(
        default=None, description="With weight: copies of the new version; left out: as many as the weight needs."
    )
    pause: Duration | OpenPause | None = Field(
        default=None,
        description="Wait so long before going on; `{}`: until a person resumes or promotes.",
        examples=["5m", {}],
    )
    approval: Approval | None = Field(default=None, description="Wait until a person with one of the roles approves.")

    @model_validator(mode="after")
    def _is_one_thing(self) -> Self:
        if sum(part is not None for part in (self.weight, self.pause, self.approval)) != 1:
            raise ValueError("a step is one of weight, pause and approval: give each its own step")
        if self.copies is not None and self.weight is None:
            raise ValueError("copies belong to a weight: add one, or remove them")
        return self


AlarmName = Annotated[str, Field(min_length=1, max_length=255)]
Strategy = Literal["auto", "rolling", "canary", "blueGreen"]


class RolloutPolicy(Spec):
    """How a deployment moves from one revision to the next."""

    strategy: Strategy = Field(
        default="auto",
        description="How copies are replaced. auto: rolling, or blueGreen where versions may not serve side by side or "
        "keepWarm is set.",
    )
    batch: Amount = Field(default="25%", description="Copies replaced together; at least 1; a percentage rounds up.")
    max_unavailable: Amount = Field(default=0, description="Copies that may be missing; a percentage rounds down.")
    bake: Duration = Field(default=30.0, description="Wait and watch after a batch has its traffic.")
    deadline: Duration = Field(default=600.0, gt=0, description="A batch not ready by then fails the rollout.")
    rollback_batch: Amount | None = Field(default=None, description="Copies brought back together; default: batch.")
    drain_timeout: Duration = Field(default=60.0, description="A copy is ended when its requests are done, or then.")
    keep_warm: Duration = Field(
        default=0.0, description="blueGreen: old copies kept after success, for an instant undo."
    )
    steps: tuple[Step, ...] = Field(default=(), description="Steps of a canary; a last `weight: 100` is implied.")
    checks: tuple[Check, ...] = Field(default=(), description="Conditions watched while a batch bakes.")
    delegate: Literal["sagemaker"] | None = Field(
        default=None,
        description="Hand updates to the target's own mechanism and follow it, for callers who ask its endpoint "
        "directly. SageMaker: batches of 5% to 50%, waits of at most 1h, and alarms in place of checks.",
    )
    alarms: tuple[AlarmName, ...] = Field(
        default=(), max_length=10, description="With delegate: CloudWatch alarms on which SageMaker rolls back."
    )

    @model_validator(mode="after")
    def _check_names_differ(self) -> Self:
        names = [check.name for check in self.checks]
        for name in names:
            if names.count(name) > 1:
                raise ValueError(f"two checks are named {name!r}: give each its own name")
        return self

    @model_validator(mode="after")
    def _fields_fit_the_strategy(self) -> Self:
        if self.keep_warm > 0 and self.strategy in {"rolling", "canary"}:
            raise ValueError("keepWarm belongs to blueGreen: use strategy blueGreen or auto, or remove it")
        if self.steps and self.strategy != "canary":
            raise ValueError("steps belong to canary: use strategy canary, or remove them")
        weights = [step.weight for step in self.steps if step.weight is not None]
        if any(later <= earlier for earlier, later in pairwise(weights)):
            raise ValueError(f"the weights of the steps must grow: {', '.join(map(str, weights))} do not")
        return self

    @model_validator(mode="after")
    def _can_be_delegated(self) -> Self:
        if self.delegate is None:
            if self.alarms:
                raise ValueError("alarms are watched by SageMaker: set delegate: sagemaker, or use checks")
        elif problem := undelegable(self):
            raise ValueError(problem)
        return self

    def batch_copies(self, copies: int) -> int:
        """Copies of a batch when `copies` are desired: at least 1 (rule 1)."""
        return max(1, of_copies(self.batch, copies, up=True))

    def unavailable_copies(self, copies: int) -> int:
        """Copies that may be missing when `copies` are desired (rule 1)."""
        return of_copies(self.max_unavailable, copies, up=False)

    def rollback_copies(self, copies: int) -> int:
        """Copies that a rollback brings back together (rule 4)."""
        amount = self.batch if self.rollback_batch is None else self.rollback_batch
        return max(1, of_copies(amount, copies, up=True))


class DeploymentSpec(Spec):
    """The desired state of one model on one target."""

    target: Name = Field(description="The target whose accelerators it uses; never changes.")
    model: Name = Field(description="The model it serves; never changes.")
    version: Version = Field(description="The registered version of the model that shall serve.")
    copies: int = Field(default=1, ge=0, le=10_000, description="Copies that shall serve; 0 scales to zero.")
    idempotent: bool = Field(
        default=False, description="true: requests may be sent twice, so one that a dying copy cut off is retried."
    )
    scaling: Scaling | None = Field(
        default=None, description="Let the target's own autoscaler choose the copies. Left out: copies are as written."
    )
    rollout: RolloutPolicy = Field(default=RolloutPolicy(), description="How a new version is rolled out.")

    @field_validator("rollout")
    @classmethod
    def _batch_can_be_delegated(cls, rollout: RolloutPolicy, info: ValidationInfo) -> RolloutPolicy:
        copies = info.data.get("copies", 1)
        if rollout.delegate is not None and (problem := unfit_batch(rollout, copies)):
            raise ValueError(problem)
        return rollout
