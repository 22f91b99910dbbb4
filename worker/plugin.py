"""One Temporal plugin for client, worker, replayer and tests, so that they cannot drift apart."""

from temporalio.contrib.pydantic import pydantic_data_converter
from temporalio.plugin import SimplePlugin
from temporalio.worker import WorkflowRunner
from temporalio.worker.workflow_sandbox import SandboxedWorkflowRunner, SandboxRestrictions

from worker.tracing import LogContext
from workflows.adopt import AdoptWorkflow
from workflows.deployment import DeploymentWorkflow
from workflows.onboard import OnboardWorkflow
from workflows.release import ReleaseWorkflow
from workflows.retire import RetireWorkflow
from workflows.rollback import RollbackWorkflow
from workflows.rollout import RolloutWorkflow
from workflows.scale import ScaleWorkflow

WORKFLOWS: tuple[type, ...] = (
    DeploymentWorkflow,
    OnboardWorkflow,
    RolloutWorkflow,
    RollbackWorkflow,
    ScaleWorkflow,
    RetireWorkflow,
    ReleaseWorkflow,
    AdoptWorkflow,
)
"""Every workflow: a new lifecycle operation is added here and in `workflows.deployment.WORKFLOWS`."""

PURE = ("longshore", "activities", "pydantic", "pydantic_core", "annotated_types", "structlog")
"""Modules that workflows share with the process: pure, or names only. Importing them anew per workflow costs 1 s."""


def _runner(_given: WorkflowRunner | None) -> WorkflowRunner:
    restrictions = SandboxRestrictions.default.with_passthrough_modules(*PURE)
    return SandboxedWorkflowRunner(restrictions=restrictions)


def longshore_plugin() -> SimplePlugin:
    """Pydantic payloads, log lines with their ids, and the sandbox that knows which of our modules are pure."""
    return SimplePlugin(
        "longshore", data_converter=pydantic_data_converter, interceptors=[LogContext()], workflow_runner=_runner
    )
