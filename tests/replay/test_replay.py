"""Workflows go on from histories that earlier builds wrote: a change that breaks one fails here."""

import json
from collections.abc import Iterable, Iterator
from datetime import datetime
from functools import cache
from pathlib import Path
from types import ModuleType
from typing import Any, cast, get_args

import pytest
from temporalio import activity
from temporalio.client import WorkflowHistory
from temporalio.worker import Replayer
from temporalio.workflow import NondeterminismError, _Definition

from longshore.planning import adopt, release, retire, scale
from longshore.planning.deployment import decisions as deployment
from longshore.planning.operation import Decision, Facts, Observe, OperationOrder, Verb
from longshore.planning.requests import Refusal
from longshore.planning.rollout import planner as rollout
from longshore.planning.rollout.state import Stage
from longshore.store.database import Database
from longshore.store.store import Store
from worker.plugin import WORKFLOWS, longshore_plugin
from worker.wiring import central_activities, target_activities
from workflows.deployment import DeploymentWorkflow

HERE = Path(__file__).parent
HISTORIES = sorted(path.relative_to(HERE / "histories") for path in (HERE / "histories").rglob("*.json"))
OPERATIONS: dict[str, ModuleType] = {
    "plain/onboard-1": rollout,
    "plain/rollout-2": rollout,
    "canary/rollout-2": rollout,
    "warm/rollback-3": rollout,
    "warm/release-4": release,
    "plain/scale-5": scale,
    "plain/retire-6": retire,
    "meddled/adopt-1": adopt,
}
"""A history of every kind of operation, and its planner."""


@cache
def history(path: Path) -> WorkflowHistory:
    name = "" if path.stem == "deployment" else f"/{path.stem}"
    return WorkflowHistory.from_json(f"deployment/codegen{name}", (HERE / "histories" / path).read_text())


def replayer() -> Replayer:
    return Replayer(workflows=WORKFLOWS, plugins=[longshore_plugin()])


def workflows() -> Iterator[str]:
    for path in HISTORIES:
        yield history(path).events[0].workflow_execution_started_event_attributes.workflow_type.name


def activities() -> Iterator[str]:
    for path in HISTORIES:
        for event in history(path).events:
            yield event.activity_task_scheduled_event_attributes.activity_type.name
            marker = event.marker_recorded_event_attributes.details
            if "data" in marker:
                yield json.loads(marker["data"].payloads[0].data)["activity_type"]


def updates() -> Iterator[str]:
    for path in HISTORIES:
        for event in history(path).events:
            yield event.workflow_execution_update_accepted_event_attributes.accepted_request.input.name


def signals() -> Iterator[tuple[str, str]]:
    """Names of the signals that arrived, and of `control` its verb."""
    for path in HISTORIES:
        for event in history(path).events:
            signal = event.workflow_execution_signaled_event_attributes
            said = json.loads(signal.input.payloads[0].data) if signal.input.payloads else {}
            yield signal.signal_name, said.get("verb", "")


def named(found: Iterable[str]) -> set[str]:
    return set(found) - {""}


def test_every_workflow_has_a_history() -> None:
    assert named(workflows()) == {_Definition.must_from_class(one).name for one in WORKFLOWS}


def test_every_request_to_a_deployment_has_a_history() -> None:
    definition = _Definition.must_from_class(DeploymentWorkflow)
    assert named(updates()) == set(definition.updates)
    assert named(name for name, _ in signals()) >= {name for name in definition.signals if name}


def test_every_activity_has_a_history() -> None:
    store, nobody, clock = Store(Database.connect("sqlite+aiosqlite://")), cast("Any", None), datetime.now
    wired = [*central_activities(nobody, store, nobody), *target_activities(nobody, store, nobody, clock)]
    assert named(activities()) == {activity._Definition.must_from_callable(one).name for one in wired}


def test_every_verb_of_an_operation_has_a_history() -> None:
    assert named(verb for _, verb in signals()) == set(get_args(Verb))


@pytest.mark.parametrize("path", HISTORIES, ids=str)
async def test_a_saved_history_replays(path: Path) -> None:
    await replayer().replay_workflow(history(path))


@pytest.mark.parametrize("name", OPERATIONS)
async def test_an_operation_that_looks_once_more_does_not_replay(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    planner = OPERATIONS[name]
    advance = planner.advance

    def curious(order: OperationOrder, state: Any, facts: Facts) -> Decision:
        decision: Decision = advance(order, state, facts)
        actions = (Observe(), *decision.actions) if decision.actions else ()
        return decision.model_copy(update={"actions": actions})

    monkeypatch.setattr(planner, "advance", curious)
    with pytest.raises(NondeterminismError):
        await replayer().replay_workflow(history(Path(f"{name}.json")))


async def test_a_rollout_with_another_order_of_things_does_not_replay(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(rollout.STAGES, Stage.VERIFY, rollout.STAGES[Stage.RESERVE])
    with pytest.raises(NondeterminismError):
        await replayer().replay_workflow(history(Path("plain/onboard-1.json")))


async def test_a_deployment_that_refuses_what_it_once_accepted_does_not_replay(monkeypatch: pytest.MonkeyPatch) -> None:
    refusal = Refusal(reason="NothingToUndo", message="changed its mind")
    monkeypatch.setattr(deployment, "decide_undo", lambda *_: refusal)
    with pytest.raises(NondeterminismError):
        await replayer().replay_workflow(history(Path("plain/deployment.json")))
