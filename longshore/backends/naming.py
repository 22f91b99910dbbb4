"""What a version is called on its target: where somebody else keeps metrics of it, they go by those names."""

from typing import Protocol, runtime_checkable

from longshore.backends.port import Backend


@runtime_checkable
class NamesVersions(Protocol):
    """A backend on a platform that has names of its own for what we make there."""

    async def names_of(self, deployment: str, version: str) -> dict[str, str]:
        """Placeholder → the platform's name, of a version that is or was there; `longshore.spec.sources` lists them.

        Raises:
            BackendError: it cannot be told now.
        """


async def names_of(backend: Backend, deployment: str, version: str) -> dict[str, str]:
    """Every placeholder that has a meaning for a version, and what it stands for.

    Raises:
        BackendError: the platform's names cannot be told now.
    """
    own = await backend.names_of(deployment, version) if isinstance(backend, NamesVersions) else {}
    return {"DEPLOYMENT": deployment, "VERSION": version, **own}
