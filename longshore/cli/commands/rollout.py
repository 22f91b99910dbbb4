"""One rollout: watch it, and hold its reins."""

from typing import Annotated, Any

import typer

from longshore.cli.changing import SUCCEEDED, Change, carry_out
from longshore.cli.exits import REACHED
from longshore.cli.kinds import OPERATION
from longshore.cli.options import WAIT_AT_MOST, Deployment, Output, Reason, Timeout, Wait, seconds
from longshore.cli.output import show
from longshore.client import Client, segment

app = typer.Typer(no_args_is_help=True, help="One rollout: watch it, and hold its reins.")


@app.command()
def status(name: Deployment, output: Output = "table") -> int:
    """Show the latest operation: its batches, copies, traffic and checks."""
    operation = Client.from_environment().get(f"/v1/deployments/{segment(name)}/rollout")
    if output == "table":
        from longshore.cli.ladder import print_ladder

        print_ladder(operation)
    else:
        show(operation, output, OPERATION)
    return REACHED


@app.command()
def watch(name: Deployment, timeout: Timeout = WAIT_AT_MOST) -> int:
    """Follow the latest operation to its end, and exit as it ends.

    A terminal sees it live, through pauses too. Elsewhere each event is a line, and a pause ends it (exit 4).
    """
    from longshore.cli.watching import watch as follow

    return follow(Client.from_environment(), name, seconds(timeout))


@app.command()
def history(name: Deployment, output: Output = "table") -> int:
    """List every operation, oldest first."""
    items = list(Client.from_environment().items(f"/v1/deployments/{segment(name)}/rollouts"))
    show(items, output, OPERATION)
    return REACHED


@app.command()
def pause(
    name: Deployment,
    reason: Reason = None,
    output: Output = "table",
    *,
    wait: Wait = False,
    timeout: Timeout = WAIT_AT_MOST,
) -> int:
    """Begin nothing new; checks go on, and a failed one still rolls back."""
    return _control(name, "pause", {"reason": reason}, output, _limit(timeout, wait=wait), frozenset({"Paused"}))


@app.command()
def resume(
    name: Deployment,
    reason: Reason = None,
    output: Output = "table",
    *,
    wait: Wait = False,
    timeout: Timeout = WAIT_AT_MOST,
) -> int:
    """Go on after a pause."""
    return _control(name, "resume", {"reason": reason}, output, _limit(timeout, wait=wait))


@app.command()
def promote(
    name: Deployment,
    reason: Reason = None,
    output: Output = "table",
    *,
    full: Annotated[bool, typer.Option("--full", help="Skip every further bake, pause and check as well.")] = False,
    wait: Wait = False,
    timeout: Timeout = WAIT_AT_MOST,
) -> int:
    """End the present bake or pause at once."""
    return _control(name, "promote", {"reason": reason, "full": full}, output, _limit(timeout, wait=wait))


@app.command()
def abort(
    name: Deployment,
    reason: Reason = None,
    output: Output = "table",
    *,
    wait: Wait = False,
    timeout: Timeout = WAIT_AT_MOST,
) -> int:
    """Return the traffic, and bring the stable revision back."""
    return _control(name, "abort", {"reason": reason}, output, _limit(timeout, wait=wait), frozenset({"Aborted"}))


@app.command()
def undo(
    name: Deployment,
    to: Annotated[int | None, typer.Option(help="The revision to go back to.", show_default="the one before")] = None,
    reason: Reason = None,
    output: Output = "table",
    *,
    wait: Wait = False,
    timeout: Timeout = WAIT_AT_MOST,
) -> int:
    """Roll out the version of an earlier revision that succeeded."""
    return _control(name, "undo", {"reason": reason, "to": to}, output, _limit(timeout, wait=wait))


@app.command()
def retry(
    name: Deployment,
    reason: Reason = None,
    output: Output = "table",
    *,
    wait: Wait = False,
    timeout: Timeout = WAIT_AT_MOST,
) -> int:
    """Try again the revision that is held since it was rolled back or aborted."""
    return _control(name, "retry", {"reason": reason}, output, _limit(timeout, wait=wait))


@app.command()
def approve(
    name: Deployment,
    reason: Reason = None,
    output: Output = "table",
    *,
    wait: Wait = False,
    timeout: Timeout = WAIT_AT_MOST,
) -> int:
    """Pass the approval that a canary waits for. The API key needs one of the roles that the step names."""
    return _control(name, "approve", {"reason": reason}, output, _limit(timeout, wait=wait))


@app.command()
def override(
    name: Deployment,
    reason: Annotated[str, typer.Option(help="Why it may not wait, for the record.")],
    output: Output = "table",
    *,
    wait: Wait = False,
    timeout: Timeout = WAIT_AT_MOST,
) -> int:
    """Start a rollout that a freeze holds. The API key needs the role approver or admin."""
    return _control(name, "override", {"reason": reason}, output, _limit(timeout, wait=wait))


def scale(
    name: Deployment,
    copies: Annotated[int, typer.Option(min=0, max=10_000, help="Copies that shall serve; 0 scales to zero.")],
    reason: Reason = None,
    output: Output = "table",
    *,
    wait: Wait = False,
    timeout: Timeout = WAIT_AT_MOST,
) -> int:
    """Bring the copies of a deployment to a number."""
    return _control(name, "scale", {"reason": reason, "copies": copies}, output, _limit(timeout, wait=wait))


def _limit(timeout: str, *, wait: bool) -> float | None:
    limit = seconds(timeout)
    return limit if wait else None


def _control(
    name: str,
    verb: str,
    body: dict[str, Any],
    output: str,
    wait: float | None,
    reached: frozenset[str] = SUCCEEDED,
) -> int:
    """Send a verb with what was given of its body."""
    given = {key: value for key, value in body.items() if value is not None}
    path = f"/v1/deployments/{segment(name)}/{verb}"
    return carry_out(Change("deployment", name, lambda client: client.post(path, given), reached), output, wait)
