"""What must hold right before a copy is started: its artifact is what was pinned, its secret and program are there."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from longshore.backends.local.artifact import ArtifactError, Artifacts
from longshore.backends.local.invocation import CommandMissingError, Invocation, invocation_of, require_program
from longshore.backends.local.record import CopyRecord
from longshore.backends.local.secret_files import SecretError, mask, read_secret
from longshore.backends.port import CopiesLevel
from longshore.spec.model_version import ModelVersionSpec


class StartFailedError(Exception):
    """A copy could not be started; it counts as an exit. `reason` is CamelCase, `message` one line."""

    def __init__(self, reason: str, message: str) -> None:
        super().__init__(message)
        self.reason = reason
        self.message = message


class Starter:
    """Prepares starts. Neither artifact nor secret is trusted from an earlier one."""

    def __init__(self, agent: Path, secrets: Path) -> None:
        self._agent = agent
        self._artifacts = Artifacts()
        self._secrets = secrets

    async def check(self, spec: ModelVersionSpec) -> None:
        """Check that a version could be started here.

        Raises:
            StartFailedError: the artifact, the secret or the program is not what it must be.
        """
        with _as_start_failures():
            await self._artifacts.verify(spec.artifact)
            require_program(spec.server)
            self._secret(spec)

    async def prepare(self, copy: CopyRecord, level: CopiesLevel) -> Invocation:
        """The command and environment to start a copy with, everything checked anew.

        Raises:
            StartFailedError: the artifact, the secret or the program is not what it must be.
        """
        with _as_start_failures():
            path = await self._artifacts.verify(level.spec.artifact)
            return invocation_of(copy, level, path, self._secret(level.spec), self._agent)

    def masked(self, level: CopiesLevel, lines: list[str]) -> list[str]:
        """Lines that a copy wrote, its secret's values masked; none while the secret cannot be read to mask them."""
        try:
            secret = self._secret(level.spec)
        except SecretError as error:
            return [f"(not shown: {error})"]
        return [mask(line, secret) for line in lines]

    def _secret(self, spec: ModelVersionSpec) -> dict[str, str]:
        return read_secret(self._secrets, spec.server.secret_ref) if spec.server.secret_ref else {}


@contextmanager
def _as_start_failures() -> Iterator[None]:
    try:
        yield
    except ArtifactError as error:
        raise StartFailedError(error.reason, error.message) from None
    except SecretError as error:
        raise StartFailedError("SecretUnusable", str(error)) from None
    except CommandMissingError as error:
        raise StartFailedError("CommandMissing", str(error)) from None
