"""Updates that a platform carries out by a mechanism of its own: what it is asked, and what it is seen to have done.

The words are general; the numbers are those that SageMaker takes.
"""

from typing import Literal

from longshore.spec.base import Value

Shift = Literal["rolling", "allAtOnce", "canary", "linear"]
"""How the traffic comes to the new copies: with each batch, or once all of them are there."""


class Portion(Value):
    """A part of the copies: a count, or percent of them."""

    copies: int | None = None
    percent: float | None = None

    def told(self, of: int) -> str:
        """For people: `2 copies`, `25% (1 of 4)`."""
        if self.copies is not None:
            return f"{self.copies} {'copy' if self.copies == 1 else 'copies'}"
        return f"{self.percent:g}%" + (f" ({self.count(of)} of {of})" if of else "")

    def count(self, of: int) -> int:
        """How many of so many copies it is: at least one, a percentage rounded up."""
        if self.copies is not None:
            return min(self.copies, max(1, of))
        return max(1, -int(-(self.percent or 0) * of // 100))


class NativePolicy(Value):
    """How the platform shall go about it."""

    batch: Portion
    """Copies replaced together."""
    rollback_batch: Portion
    wait_s: int
    """Seconds between two batches, in which the alarms are watched."""
    limit_s: int
    """Seconds after which the platform gives up, and goes back."""
    alarms: tuple[str, ...] = ()
    """Any of them makes it go back."""
    shift: Shift = "rolling"
    step: int = 0
    """Percent of the traffic of the first step of a canary, or of each step of a linear shift."""
    keep_s: int = 0
    """Seconds for which the old copies are kept after a shift that was not rolling."""

    @property
    def steps(self) -> int:
        """Steps of the traffic, of a shift that is not rolling."""
        return {"allAtOnce": 1, "canary": 2}.get(self.shift) or -(-100 // max(1, self.step))

    def beside(self, copies: int) -> int:
        """Copies that the platform starts beside the old ones."""
        return self.batch.count(copies) if self.shift == "rolling" else copies

    def told(self, copies: int) -> str:
        """For people: `batches of 25% (1 of 4), 30 s apart, back on alarm errors`."""
        watched = f", back on alarm {' or '.join(self.alarms)}" if self.alarms else ", watched by no alarm"
        how = {
            "rolling": f"batches of {self.batch.told(copies)}, {self.wait_s} s apart",
            "allAtOnce": f"all traffic at once, then {self.wait_s} s",
            "canary": f"{self.step}% of the traffic, after {self.wait_s} s the rest",
            "linear": f"{self.step}% more of the traffic every {self.wait_s} s",
        }[self.shift]
        return f"{how}{watched}"


class NativeStatus(Value):
    """How an update stands, as observed; not what the platform calls it."""

    resource: str
    """The platform's name of what is updated."""
    under_way: bool
    """Whether the platform is still at it, forwards or backwards."""
    version: str | None = None
    """The version that the resource is of now, in every field that was asked for; None: of none that we know."""
    copies: int = 0
    """Copies desired there."""
    ready: int = 0
    broken: bool = False
    """The platform does not get on by itself any more."""
    words: str | None = None
    """The platform's own, where it has any."""
