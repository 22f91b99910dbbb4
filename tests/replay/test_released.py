"""A deployment's workflow moves on to the current build, so it must go on from what every released build wrote."""

from pathlib import Path

import pytest
from temporalio.client import WorkflowHistory
from temporalio.worker import Replayer

from worker.plugin import longshore_plugin
from workflows.deployment import DeploymentWorkflow

RELEASED = sorted((Path(__file__).parent / "released").glob("*.json"))


@pytest.mark.parametrize("path", RELEASED, ids=lambda path: path.stem)
async def test_a_deployment_goes_on_from_what_a_released_build_wrote(path: Path) -> None:
    history = WorkflowHistory.from_json("deployment/codegen", path.read_text())
    await Replayer(workflows=[DeploymentWorkflow], plugins=[longshore_plugin()]).replay_workflow(history)
