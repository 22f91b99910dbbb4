"""The Backend port over a SageMaker endpoint that many models share."""

from typing import Any

from longshore.backends.notebook import Notebook
from longshore.backends.port import BackendError, CopiesLevel, HttpAnswer
from longshore.backends.sagemaker.site import Site
from longshore.planning.observed import Copy, Observation
from longshore.spec.model_version import ModelVersionSpec
from longshore.spec.sagemaker import SageMakerTarget
from longshore.spec.target import Host


class SageMakerBackend:
    """One target's copies as counts of inference components; each version of a deployment has one."""

    def __init__(self, target: str, spec: SageMakerTarget, notebook: Notebook) -> None:
        self.site = Site(target, spec, notebook)

    async def declare(self, hosts: tuple[Host, ...]) -> None:
        """Make the target's endpoint, or check the one that is there."""
        raise self._not_yet("declare")

    async def verify(self, model: str, version: str, spec: ModelVersionSpec) -> None:
        """Check artifact and image."""
        raise self._not_yet("verify")

    async def ensure(self, level: CopiesLevel) -> Observation:
        """Bring one version of a deployment to a level."""
        raise self._not_yet("ensure")

    async def observe(self, deployment: str | None = None) -> Observation:
        """Read the whole target, or one deployment's part of it."""
        raise self._not_yet("observe")

    async def send(self, copy: Copy, method: str, path: str, body: Any | None, timeout: float) -> HttpAnswer:
        """Send one request to the component of a copy."""
        raise self._not_yet("send")

    async def logs(self, copy_id: str, tail: int) -> list[str]:
        """The last lines that the component's copies wrote."""
        raise self._not_yet("logs")

    def _not_yet(self, verb: str) -> BackendError:
        return BackendError("NotYet", f"target {self.site.target}: {verb} is not there yet", retryable=False)
