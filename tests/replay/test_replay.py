"""Workflows go on from histories that earlier builds wrote: a change that breaks one fails here."""

from pathlib import Path

import pytest
from temporalio.client import WorkflowHistory
from temporalio.worker import Replayer
from temporalio.workflow import NondeterminismError

from longshore.planning import rollout
from longshore.planning.rollout_state import Stage
from worker.plugin import WORKFLOWS, longshore_plugin

HISTORIES = sorted((Path(__file__).parent / "histories").glob("*.json"))


def history(path: Path) -> WorkflowHistory:
    workflow = "deployment/" + path.stem.replace("-", "/", 1)
    return WorkflowHistory.from_json(workflow, path.read_text())


def test_there_is_a_history_of_the_deployment_and_of_every_kind_of_operation() -> None:
    kinds = {path.stem.split("-")[1] for path in HISTORIES if "-" in path.stem}
    assert kinds == {"onboard", "rollout", "rollback", "scale", "retire"}
    assert "codegen" in {path.stem for path in HISTORIES}


@pytest.mark.parametrize("path", HISTORIES, ids=lambda path: path.stem)
async def test_a_saved_history_replays(path: Path) -> None:
    await Replayer(workflows=WORKFLOWS, plugins=[longshore_plugin()]).replay_workflow(history(path))


async def test_a_change_of_the_order_of_things_does_not_replay(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(rollout.STAGES, Stage.VERIFY, rollout.STAGES[Stage.RESERVE])
    path = next(path for path in HISTORIES if "onboard" in path.stem)
    with pytest.raises(NondeterminismError):
        await Replayer(workflows=WORKFLOWS, plugins=[longshore_plugin()]).replay_workflow(history(path))
