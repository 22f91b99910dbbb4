"""Which adapter serves a target."""

from longshore.backends.local.backend import LocalBackend
from longshore.backends.port import Backend, BackendError
from longshore.settings import Settings
from longshore.spec.target import TargetSpec


def backend_for(target_name: str, spec: TargetSpec, settings: Settings) -> Backend:
    """The backend of a target.

    Raises:
        BackendError: this build has no adapter for it.
    """
    if spec.backend == "local":
        return LocalBackend(target_name, settings.agent_socket)
    raise BackendError("BackendMissing", f"target {target_name}: no backend {spec.backend!r}", retryable=False)
