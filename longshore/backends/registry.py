"""Which adapter serves a target."""

from collections.abc import Callable

from longshore.backends.local.backend import LocalBackend
from longshore.backends.notebook import Notebook
from longshore.backends.port import Backend, BackendError
from longshore.settings import Settings
from longshore.spec.target import TargetSpec

NotebookOf = Callable[[str], Notebook]
"""Target → its notebook."""


def backend_for(target_name: str, spec: TargetSpec, settings: Settings, notebook_of: NotebookOf) -> Backend:
    """The backend of a target. Adapters are imported here: boto3 takes its time, and most workers need one of them.

    Raises:
        BackendError: this build has no adapter for it.
    """
    if spec.backend == "local":
        return LocalBackend(target_name, settings.agent_socket)
    if spec.sagemaker is not None and spec.sagemaker.endpoint is None:
        from longshore.backends.sagemaker.classic import ClassicBackend

        return ClassicBackend(target_name, spec.sagemaker, notebook_of(target_name))
    if spec.sagemaker is not None:
        from longshore.backends.sagemaker.backend import SageMakerBackend

        return SageMakerBackend(target_name, spec.sagemaker, notebook_of(target_name))
    raise BackendError("BackendMissing", f"target {target_name}: no backend {spec.backend!r}", retryable=False)
