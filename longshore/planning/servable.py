"""Whether a version can be served on a target at all, known before anything is tried."""

from typing import Final

from longshore.spec.delegation import only_for_endpoints, undelegable, unfit_batch
from longshore.spec.deployment import DeploymentSpec
from longshore.spec.model_version import ModelVersionSpec
from longshore.spec.target import TargetSpec

ARCHIVE: Final = ".tar.gz"
"""What SageMaker unpacks by itself."""

Problem = tuple[str, str]
"""A field of the version, and why the target cannot do with it."""


def unservable(spec: ModelVersionSpec, target: TargetSpec) -> Problem | None:
    """What keeps a version from being served on a target; None when nothing does."""
    if target.backend == "local" and not spec.server.command:
        return "spec.server.command", "this machine starts programs: give the version server.command"
    if target.sagemaker is None:
        return None
    needs_role = not spec.artifact.uri.endswith(ARCHIVE) and target.sagemaker.execution_role is None
    if needs_role and not_for_sagemaker(spec) is None:
        why = f"SageMaker fetches it with a role: pack it as {ARCHIVE}, or give the target sagemaker.executionRole"
        return "spec.artifact.uri", why
    return not_for_sagemaker(spec)


def not_for_sagemaker(spec: ModelVersionSpec) -> Problem | None:
    """What keeps a version from being served on SageMaker, whatever the target."""
    server, own = spec.server, spec.sagemaker
    if not spec.artifact.uri.startswith("s3://"):
        return "spec.artifact.uri", "SageMaker fetches artifacts from S3: give an s3:// URI"
    if own is not None and own.adapter_of is not None:
        is_archive = spec.artifact.uri.endswith(ARCHIVE)
        return None if is_archive else ("spec.artifact.uri", f"an adapter is one {ARCHIVE} archive on S3")
    if server.image is None:
        return "spec.server.image", "SageMaker runs containers: give the version server.image"
    if spec.resources.memory_gib is None:
        return "spec.resources.memoryGiB", "SageMaker sets memory aside for each copy: say how much it needs"
    if server.secret_ref is not None:
        return (
            "spec.server.secretRef",
            "SageMaker shows the environment to whoever may describe the model: leave it out",
        )
    if server.smoke is not None and (server.smoke.method, server.smoke.path) != ("POST", "/invocations"):
        return "spec.server.smoke", "SageMaker passes on POST /invocations alone: let the smoke test be that"
    return None


def is_classic(target: TargetSpec | None) -> bool:
    """Whether each deployment has an endpoint of its own there, which SageMaker alone updates."""
    return target is not None and target.sagemaker is not None and target.sagemaker.endpoint is None


def undelegated(spec: DeploymentSpec, target: TargetSpec) -> Problem | None:
    """What keeps a deployment's updates from being handed to its target, by the field; None when nothing does."""
    if spec.rollout.delegate is None:
        return None
    if target.sagemaker is None:
        return "spec.rollout.delegate", f"target {spec.target} updates nothing by itself: remove it"
    if is_classic(target):
        why = undelegable(spec.rollout) or unfit_batch(spec.rollout, spec.copies)
    else:
        why = only_for_endpoints(spec.rollout)
    return ("spec.rollout", why) if why else None
