"""A check of the doctor: what was looked at, what was found, and the cure when it is not well."""

import asyncio
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import asdict, dataclass
from typing import Any

from longshore.stack.errors import StackError

WITHIN = 10.0
"""Seconds a check may take: what does not answer by then is not well."""


@dataclass(frozen=True)
class Check:
    """One line of the checklist."""

    name: str
    ok: bool
    detail: str
    cure: str | None = None
    """What to do, when it is not well."""

    def line(self) -> str:
        """The check as people read it."""
        mark = "✓" if self.ok else "✗"
        return f"{mark} {self.name}: {self.detail}" + (f" → {self.cure}" if self.cure else "")


@dataclass(frozen=True)
class Report:
    """The whole checklist."""

    checks: tuple[Check, ...]

    @property
    def ok(self) -> bool:
        """Whether all is well; else `longshore doctor` exits with 1."""
        return all(check.ok for check in self.checks)

    def lines(self) -> list[str]:
        """The checklist as people read it."""
        return [check.line() for check in self.checks]

    def as_json(self) -> dict[str, Any]:
        """`{"ok": …, "checks": [{"name", "ok", "detail", "cure"}]}`."""
        return {"ok": self.ok, "checks": [asdict(check) for check in self.checks]}


def well(name: str, detail: str) -> Check:
    """A check that found all well."""
    return Check(name, ok=True, detail=detail)


def ill(name: str, detail: str, cure: str) -> Check:
    """A check that found something to cure."""
    return Check(name, ok=False, detail=detail, cure=cure)


Look = tuple[str, Callable[[], Awaitable[list[Check]]]]
"""A name for the case that looking itself fails, and how to look."""


async def look_at_all(looks: Iterable[Look]) -> list[Check]:
    """Look at everything at once; the answers keep the order. A look that fails, or hangs, is a check not well."""
    found = await asyncio.gather(*(_look(name, look) for name, look in looks))
    return [check for checks in found for check in checks]


async def _look(name: str, look: Callable[[], Awaitable[list[Check]]]) -> list[Check]:
    try:
        async with asyncio.timeout(WITHIN):
            return await look()
    except TimeoutError:
        return [ill(name, f"no answer in {WITHIN:.0f} s", "read its log in LONGSHORE_HOME/logs")]
    except StackError as error:
        return [ill(name, error.problem, error.cure)]
    except Exception as error:  # noqa: BLE001 - the doctor tells of what is broken; it must not break by it
        said = next(iter(str(error).splitlines()), "") or type(error).__name__
        return [ill(name, said, "read its log in LONGSHORE_HOME/logs")]
