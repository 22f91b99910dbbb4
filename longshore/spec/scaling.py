"""A scaling policy: the target's own autoscaler chooses the copies, within bounds."""

from typing import Literal, Self

from pydantic import Field, model_validator

from longshore.spec.base import Spec
from longshore.spec.quantities import Duration


class Scaling(Spec):
    """How the target's own autoscaler chooses the copies; `copies` are those that a deployment begins with."""

    min: int = Field(ge=0, description="Fewest copies; 0 lets an idle model give up its accelerators.")
    max: int = Field(ge=1, le=10_000, description="Most copies.")
    metric: Literal["concurrentRequestsPerCopy", "invocationsPerCopy"] = Field(
        default="concurrentRequestsPerCopy",
        description="What is kept near the goal: requests at once at each copy, or requests a minute of each copy.",
    )
    goal: float = Field(gt=0, description="The value of the metric that copies are added or taken away to keep.")
    scale_out_cooldown: Duration = Field(default=60.0, description="After copies were added, before more are.")
    scale_in_cooldown: Duration = Field(default=300.0, description="After copies were taken away, before more are.")

    @model_validator(mode="after")
    def _bounds_are_in_order(self) -> Self:
        if self.min > self.max:
            raise ValueError(f"min {self.min} is more than max {self.max}: raise max")
        return self

    def within(self, copies: int) -> int:
        """So many copies as far as the bounds allow."""
        return min(max(copies, self.min), self.max)
