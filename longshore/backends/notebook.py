"""What an adapter remembers of resources that it does not run itself, and whose turn it is to change them.

A platform's own API knows neither our levels nor our fences, and may answer with yesterday's state. So an adapter
writes down what it means to do before it does it, and one change of a deployment waits for the other. The store keeps
the notebook; here are the words.
"""

from contextlib import AbstractAsyncContextManager
from typing import Any, Protocol

from longshore.planning.fence import Fence

Page = dict[str, Any]
"""What an adapter notes of one version of one deployment: JSON of its own making."""


class Turn(Protocol):
    """The right to change one deployment's resources, until it is given back."""

    @property
    def pages(self) -> dict[str, Page]:
        """Version → what was noted of it."""

    async def write(self, version: str, page: Page) -> None:
        """Note it durably, at once: what follows may be cut off at any instant."""

    async def tear_out(self, version: str) -> None:
        """Forget a version whose resources are gone."""


class Notebook(Protocol):
    """One target's notes. All methods raise the keeper's own errors when they cannot be had; trying again can help."""

    async def begin_reading(self) -> int:
        """The sequence of a reading that begins now: larger than that of any that began before it, anywhere."""

    async def pages(self, deployment: str | None = None) -> dict[tuple[str, str], Page]:
        """(deployment, version) → what was noted of it; of all deployments, or of one."""

    def turn(self, deployment: str, fence: Fence | None) -> AbstractAsyncContextManager[Turn]:
        """Wait for the deployment's turn, and pass its fence; without one, to tidy up what is over.

        Raises:
            FenceRefusedError: a later step had its turn already.
        """

    async def installation(self) -> str:
        """Ten letters and digits that tell this Longshore's resources from another's. They never change."""
