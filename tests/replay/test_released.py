"""A deployment's workflow moves on to the current build, so it must go on from what every released build wrote."""

from pathlib import Path

import pytest
from temporalio.client import WorkflowHistory
from temporalio.worker import Replayer

from worker.plugin import longshore_plugin
from workflows.deployment import DeploymentWorkflow

RELEASED = sorted((Path(__file__).parent / "released").glob("*.json"))


@pytest.fixture(params=RELEASED, ids=lambda path: path.stem)
def history(request: pytest.FixtureRequest) -> WorkflowHistory:
    return WorkflowHistory.from_json("deployment/codegen", request.param.read_text())


async def test_a_deployment_goes_on_from_what_a_released_build_wrote(history: WorkflowHistory) -> None:
    await Replayer(workflows=[DeploymentWorkflow], plugins=[longshore_plugin()]).replay_workflow(history)
