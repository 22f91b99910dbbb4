"""What every part of the adapter needs of its target: who it is, the way to AWS, the notebook, and the names."""

from longshore.backends.notebook import Notebook
from longshore.backends.sagemaker.client import Aws
from longshore.backends.sagemaker.names import Names
from longshore.spec.sagemaker import SageMakerTarget


class Site:
    """One target."""

    def __init__(self, target: str, spec: SageMakerTarget, notebook: Notebook, aws: Aws | None = None) -> None:
        self.target = target
        self.spec = spec
        self.notebook = notebook
        self.aws = aws or Aws(target, spec.region, spec.role)
        self._names: Names | None = None

    async def names(self) -> Names:
        """The names of the target's resources; the installation's letters are read once."""
        if self._names is None:
            self._names = Names(installation=await self.notebook.installation(), target=self.target)
        return self._names
