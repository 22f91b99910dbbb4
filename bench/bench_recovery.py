"""How long a version that turned bad keeps traffic: from the first bad measurement to traffic fully back.

Every policy is rehearsed on the real workflows: version 2 serves well until the batch in question bakes, and then
fails a fifth of its requests. Times are simulated, so they are the same on every machine; the unit is the interval of
the check, the least time in which anything can be known. The reference is that unit.

`python bench/bench_recovery.py`; see docs/performance.md for what is counted.
"""

import json
import subprocess
import sys
from dataclasses import dataclass, field
from typing import Any, Final

from measured import table

INTERVAL_S: Final = 5
STARTUP_S: Final = 20
BAKE_S: Final = 60
COPIES: Final = 4
TOO_LONG_S: Final = 120.0
ERRORS: Final = {"name": "errors", "metric": "error-rate", "max": 0.01, "interval": f"{INTERVAL_S}s"}
BASELINE: Final = {**ERRORS, "max": None, "compare": "baseline", "maxIncrease": "20%"}


@dataclass(frozen=True)
class Policy:
    """A policy, and in which of its batches the version turns bad."""

    name: str
    rollout: dict[str, Any] = field(default_factory=dict)
    batch: int = 1
    check: dict[str, Any] = field(default_factory=lambda: ERRORS)

    def turns_bad_at(self) -> int:
        """Seconds: a while after the batch began to bake."""
        return self.batch * (STARTUP_S + BAKE_S) - BAKE_S + 2 * INTERVAL_S + 1


POLICIES: Final = (
    Policy("rolling, batch 1 of 4", {"batch": 1}),
    Policy("rolling, batch 1 of 4, one failure allowed", {"batch": 1}, check={**ERRORS, "failures": 1}),
    Policy("rolling, batch 1 of 4, against the baseline", {"batch": 1}, check=BASELINE),
    Policy("canary at 10%", {"strategy": "canary", "steps": [{"weight": 10}]}),
    Policy("blue/green", {"strategy": "blueGreen"}),
    Policy("rolling, batch 3 of 4", {"batch": 1}, batch=3),
    Policy("rolling, batch 3 of 4, all back at once", {"batch": 1, "rollbackBatch": "100%"}, batch=3),
)


@dataclass(frozen=True)
class Recovery:
    """What became of one rollout; seconds."""

    share: int
    """Percent of the traffic that the bad version had."""
    found: float
    """From its first bad answer to the measurement that rolls back."""
    eased: float
    """From there to the first return of traffic."""
    left: int
    """Percent of the traffic that it still had after that."""
    back: float
    """From that measurement until it had none."""


def rehearsal(policy: Policy) -> dict[str, Any]:
    """One rollout, whose version turns bad."""
    check = {key: value for key, value in policy.check.items() if value is not None}
    rollout = {"bake": f"{BAKE_S}s", "checks": [check], **policy.rollout}
    given = {"model": "model", "version": "1", "copies": COPIES, "rollout": rollout}
    return {
        "apiVersion": "longshore/v1",
        "kind": "Rehearsal",
        "metadata": {"name": "recovery"},
        "spec": {
            "hosts": [{"name": "a", "accelerators": 2 * COPIES}],
            "traffic": {"model": {"requestsPerSecond": 500}},
            "given": {"model": given},
            "versions": {"1": {"startup": f"{STARTUP_S}s", "errorRate": 0.001}, "2": {"startup": f"{STARTUP_S}s"}},
            "timeline": [
                {"at": "0s", "do": "apply", "deployment": "model", "version": "2"},
                {"at": f"{policy.turns_bad_at()}s", "do": "set-version", "version": "2", "errorRate": 0.2},
            ],
        },
    }


def recover(policy: Policy) -> Recovery:
    """Rehearse it."""
    ran = subprocess.run(
        [sys.executable, "-m", "longshore.cli", "rehearse", "-f", "-", "-o", "json"],
        input=json.dumps(rehearsal(policy)),
        capture_output=True,
        text=True,
        check=True,
        timeout=TOO_LONG_S,
    )
    answer = json.loads(ran.stdout)
    if (phase := answer["deployments"]["model"]["phase"]) != "RolledBack":
        raise RuntimeError(f"{policy.name} ended {phase}")
    found = next(event["at"] for event in answer["events"] if event["type"] == "RollbackStarted")
    shifts = [
        (event["at"], event["weights"].get("2", 0)) for event in answer["events"] if event["type"] == "TrafficShifted"
    ]
    before = [weight for at, weight in shifts if at < found]
    after = [(at, weight) for at, weight in shifts if at >= found]
    return Recovery(
        share=before[-1],
        found=found - policy.turns_bad_at(),
        eased=after[0][0] - found,
        left=after[0][1],
        back=next(at for at, weight in after if weight == 0) - found,
    )


def main() -> None:
    """Rehearse every policy, and print a table."""
    rows = []
    for policy in POLICIES:
        seen = recover(policy)
        spans = [f"{seconds / INTERVAL_S:.1f}" for seconds in (seen.found, seen.eased, seen.back)]
        rows.append([policy.name, f"{seen.share}%", spans[0], spans[1], f"{seen.left}%", spans[2]])
    heads = ["policy", "bad share", "bad to found", "found to first shift", "share then", "found to fully back"]
    sys.stdout.write(table(heads, rows) + "\n")


if __name__ == "__main__":
    main()
