"""An optional part of a backend: what serves on a target whoever made it, and taking it over as it is."""

from typing import Protocol, runtime_checkable

from longshore.planning.fence import Fence
from longshore.planning.observed import Observation
from longshore.spec.base import Value
from longshore.spec.model_version import ModelVersionSpec


class Found(Value):
    """Something that serves on a target, or that we noted and that is gone."""

    component: str
    """The platform's name of it."""
    state: str
    """The platform's own word: `InService`; `Deleted` of what we noted and is gone."""
    copies: int
    """Copies that the platform shall have of it."""
    ready: int
    installation: str | None = None
    """Which Longshore's it is; None: nobody's."""
    ours: bool = False
    """Whether it is noted here, as of this deployment and version."""
    deployment: str | None = None
    version: str | None = None
    changed: bool = False
    """Whether somebody else changed what it is, other than its copies, since it was noted."""
    gone: bool = False
    obstacle: str | None = None
    """Why it cannot be taken over."""


class Adoption(Value):
    """A level: this component is noted as this version of this deployment, with so many copies, as it is there."""

    deployment: str
    model: str
    version: str
    copies: int
    component: str
    before: str | None = None
    """The version that it was noted as, whose page is given up."""
    spec: ModelVersionSpec
    """What was found when it was looked at."""
    fence: Fence


@runtime_checkable
class Inventory(Protocol):
    """What a backend on somebody else's platform may offer beside its levels. All methods raise `BackendError`."""

    async def components(self) -> tuple[Found, ...]:
        """Everything that serves on the target, and all that was noted and is gone, by name."""

    async def examine(self, component: str, base: ModelVersionSpec | None) -> ModelVersionSpec:
        """What a version would have to say for a component to be what it is there; its artifact's digest included.

        Args:
            component: the platform's name of it.
            base: what cannot be found there is as this version says: how it is asked, and what people know of it.

        Raises:
            BackendError: reason `NotFound`, or `CannotBeTaken` with what no version can say.
        """

    async def accept(self, adoption: Adoption) -> Observation:
        """Note something as ours and as it is, and change nothing of it but whose it is said to be.

        Raises:
            FenceRefusedError: the fence is lower than one seen for this deployment.
            BackendError: reason `ChangedMeanwhile`, `NotFound` or `TakenByAnother`, not retryable.
        """
