"""What is wrong with manifests, as people read it: one line each."""

from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True)
class Problem:
    """One thing that is wrong, and where."""

    source: str
    """The file as given, or `stdin`."""
    line: int | None
    """Counts from 1; None when it concerns the whole file."""
    field: str
    """`spec.rollout.checks[0].max`; empty when it concerns the whole document or file."""
    message: str
    """What is wrong and the cure, in one line."""

    def __str__(self) -> str:
        place = self.source if self.line is None else f"{self.source}:{self.line}"
        return ": ".join(part for part in (place, self.field, self.message) if part)


class ManifestError(Exception):
    """Manifests cannot be used. Its text has one line for each problem, in the order of the files."""

    def __init__(self, problems: Iterable[Problem]) -> None:
        self.problems = tuple(problems)
        super().__init__("\n".join(str(problem) for problem in self.problems))


def field_name(path: Iterable[str | int]) -> str:
    """A path as people write it: `("spec", "checks", 0, "max")` → `spec.checks[0].max`."""
    name = ""
    for part in path:
        if isinstance(part, int):
            name += f"[{part}]"
        else:
            name += f".{part}" if name else part
    return name
