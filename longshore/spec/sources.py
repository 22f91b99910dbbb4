"""Where a check is measured, if not at the gateway: golden requests, CloudWatch."""

import re
from typing import Annotated, Final, Literal, Self

from pydantic import Field, model_validator

from longshore.spec.base import Spec
from longshore.spec.quantities import Duration
from longshore.spec.sagemaker import REGION

GOLDEN_URI: Final = r"^file://"
STATISTIC: Final = r"^(Average|Sum|Minimum|Maximum|SampleCount|p\d{1,2}(\.\d{1,10})?)$"
NAMESPACE: Final = r"^[^:].*$"

PLACEHOLDER: Final = re.compile(r"\$\(([A-Z]+)\)")
OF_ANY_TARGET: Final = frozenset({"DEPLOYMENT", "VERSION"})
"""Placeholders that are known wherever a version runs."""
OF_SAGEMAKER: Final = frozenset({"COMPONENT", "ENDPOINT", "VARIANT"})
"""Those that are known on SageMaker: its own names for what a version is there."""

_FINE_PERIODS: Final = (10.0, 30.0)
_MINUTE: Final = 60.0
_DAY: Final = 86_400.0

Unit = Literal["Seconds", "Microseconds", "Milliseconds", "Bytes", "Percent", "Count", "Count/Second", "None"]
"""Those of CloudWatch's units that tell of models."""


class CloudWatch(Spec):
    """What CloudWatch keeps of a version. Empty: the check's metric, of the version's own inference component."""

    alarm: str | None = Field(
        default=None, min_length=1, max_length=255, description="An alarm that is there: ALARM fails, OK passes."
    )
    namespace: Annotated[str, Field(pattern=NAMESPACE, max_length=255)] | None = Field(
        default=None, description="With metric and statistic: any metric at all."
    )
    metric: str | None = Field(default=None, min_length=1, max_length=255, description="Its name in CloudWatch.")
    statistic: Annotated[str, Field(pattern=STATISTIC)] | None = Field(
        default=None, description="Average, Sum, Minimum, Maximum, SampleCount, or a percentile such as p99."
    )
    dimensions: dict[str, str] = Field(
        default={},
        max_length=30,
        description="Its dimensions, all of them. `$(DEPLOYMENT)` and `$(VERSION)` are replaced, on SageMaker also "
        "`$(COMPONENT)`, `$(ENDPOINT)` and `$(VARIANT)`: the names that the measured version has there.",
    )
    unit: Unit | None = Field(default=None, description="Only data of this unit; left out: of any.")
    period: Duration = Field(
        default=_MINUTE,
        gt=0,
        le=_DAY,
        description="How finely it is read: 10s, 30s or whole minutes; no finer than it is published.",
    )
    delay: Duration = Field(
        default=_MINUTE, description="How late data may come: a period is read once it has been over for so long."
    )
    region: Annotated[str, Field(pattern=REGION)] | None = Field(
        default=None, description="Left out: the target's, on SageMaker."
    )

    @model_validator(mode="after")
    def _is_one_thing(self) -> Self:
        named = (self.namespace, self.metric, self.statistic)
        if self.alarm is not None and (any(named) or self.dimensions or self.unit):
            raise ValueError("an alarm knows its metric: give alarm alone, or namespace, metric and statistic")
        if any(named) and not all(named):
            raise ValueError("namespace, metric and statistic go together: give all three, or none")
        if (self.dimensions or self.unit) and self.metric is None:
            raise ValueError("dimensions and unit are of a metric: give namespace, metric and statistic")
        if unknown := self.placeholders - OF_ANY_TARGET - OF_SAGEMAKER:
            known = ", ".join(f"$({name})" for name in sorted(OF_ANY_TARGET | OF_SAGEMAKER))
            raise ValueError(f"$({min(unknown)}) is not known: the placeholders are {known}")
        if self.period not in _FINE_PERIODS and self.period % _MINUTE:
            raise ValueError("CloudWatch has periods of 10s, 30s and whole minutes: write 10s, 30s, 1m, 5m")
        return self

    @property
    def placeholders(self) -> frozenset[str]:
        """The placeholders in its dimensions."""
        return frozenset(name for value in self.dimensions.values() for name in PLACEHOLDER.findall(value))

    @property
    def ready_made(self) -> bool:
        """Whether it is of the version's own inference component, by the check's metric."""
        return self.metric is None and self.alarm is None


class Source(Spec):
    """Where a check is measured: one of these."""

    golden: Annotated[str, Field(pattern=GOLDEN_URI)] | None = Field(
        default=None,
        description="Golden requests: a JSON Lines file of `{path, body, expect}`; the metric is the share answered "
        "right.",
    )
    cloudwatch: CloudWatch | None = Field(default=None, description="Amazon CloudWatch.")

    @model_validator(mode="after")
    def _is_one_place(self) -> Self:
        if (self.golden is None) == (self.cloudwatch is None):
            raise ValueError("a source is golden or cloudwatch: give one of the two")
        return self
