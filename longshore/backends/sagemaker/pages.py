"""What we keep in the notebook of a version: what we asked of SageMaker, and what SageMaker cannot tell."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from longshore.backends.notebook import Page, Turn
from longshore.planning.fence import Fence
from longshore.spec.base import Value

DEPLOYMENT = ""
"""In place of a version: the page of a deployment's own notes. No version is called that."""


class Refusal(Value):
    """SageMaker had no instance to start."""

    at: datetime
    message: str


class Handed(Value):
    """An update of this version's component that we handed to SageMaker. It stays until there is another one."""

    fence: Fence
    """Of the step that handed it over: the same step asks for it once."""
    version: str
    """The version that the component is to be of."""
    specification: dict[str, Any]
    accelerators: int
    accelerator_memory_gib: float
    copies: int
    at: datetime
    modified_before: datetime
    """When the component was last modified before we asked: as long as that stands, nothing has begun."""
    accepted: bool = False
    """Whether SageMaker is known to have taken it."""
    over: bool = False
    """Whether it was seen to have ended with the version of before."""
    words: str | None = None
    """What SageMaker then said."""


class VersionPage(Value):
    """One version of one deployment. It is written before SageMaker is asked, and again when it has answered."""

    model: str
    component: str
    """The inference component's name: our own, or the one that it had when it was taken over."""
    level: int
    """Copies that shall serve, or be on their way to."""
    count: int
    """The CopyCount that we want at SageMaker; what exceeds the level drains."""
    placement: dict[str, int] = {}
    """Host → serving copies, as the planner reckons; SageMaker places them itself."""
    accelerators: int = 0
    """Of each copy."""
    accelerator_memory_gib: float = 0
    specification: dict[str, Any] = {}
    """As we asked for it, in SageMaker's words; what is found otherwise is a difference."""
    ours: tuple[int, ...] = ()
    """The CopyCounts that SageMaker may have from us: one, once it accepted it; more while that is not sure."""
    made: bool = False
    """Whether SageMaker accepted to make it, and it was not deleted by us since."""
    had: int = 0
    """Copies that were ready when we last asked for a change: the least that are during it."""
    asked_at: datetime | None = None
    """When we last set about changing it; for a while after, SageMaker may describe what was before."""
    handed: Handed | None = None
    """The last update of the component that SageMaker was to carry out."""
    operation: int = 0
    """The last operation that said a level of it: what failed before, another one makes anew."""
    scaled: bool = False
    """Whether an autoscaler chooses the count, so that another count is no difference."""

    @property
    def updating(self) -> Handed | None:
        """The update that SageMaker may be carrying out."""
        return None if self.handed is None or self.handed.over else self.handed

    @property
    def settled(self) -> int | None:
        """The CopyCount that SageMaker has from us; None while that is not sure."""
        return self.ours[0] if len(self.ours) == 1 else None


class DeploymentPage(Value):
    """What concerns a deployment rather than one of its versions."""

    refused: Refusal | None = None
    """The last refusal of an instance; for a while, no other is promised to anybody."""
    steered: tuple[str, ...] = ()
    """The components that may be scalable targets of ours; more than one only while that moves."""


def read(pages: Mapping[str, Page]) -> dict[str, VersionPage]:
    """Version → its page."""
    return {version: VersionPage.model_validate(page) for version, page in pages.items() if version != DEPLOYMENT}


def deployment_page(pages: Mapping[str, Page]) -> DeploymentPage:
    """The deployment's own page; an empty one where none was written."""
    return DeploymentPage.model_validate(pages.get(DEPLOYMENT, {}))


async def write(turn: Turn, version: str, page: VersionPage) -> VersionPage:
    """Note it durably."""
    await turn.write(version, page.model_dump(mode="json"))
    return page
