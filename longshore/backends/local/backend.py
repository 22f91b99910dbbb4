"""The Backend port over the local agent's socket."""

import time
from pathlib import Path
from typing import Any
from urllib.parse import quote

import httpx

from longshore.backends.local.artifact import digest_of
from longshore.backends.local.facts import AgentFacts
from longshore.backends.local.limits import AGENT_TIMEOUT, END_GRACE
from longshore.backends.local.probing import loopback_client
from longshore.backends.local.wire import FENCE_REFUSED, Declaration, Lines, Rested, Trouble, Verification
from longshore.backends.port import BackendError, CopiesLevel, HttpAnswer
from longshore.planning.fence import FenceRefusedError
from longshore.planning.observed import Copy, Observation
from longshore.spec.model_version import ModelVersionSpec
from longshore.spec.target import Host

__all__ = ["LocalBackend", "digest_of"]


class LocalBackend:
    """This machine's copies, through its agent.

    It holds no state and no connection, so it may be made wherever it is needed, and an agent that was started anew
    is simply asked.
    """

    def __init__(self, target: str, socket: Path) -> None:
        self._target = quote(target, safe="")
        self._socket = socket

    async def declare(self, hosts: tuple[Host, ...]) -> None:
        """Make the target's hosts known; the agent remembers them."""
        await self._ask("PUT", f"/v1/targets/{self._target}/hosts", Declaration(hosts=hosts))

    async def verify(self, model: str, version: str, spec: ModelVersionSpec) -> None:
        """Check artifact, digest, program and secret on the agent's machine.

        Raises:
            BackendError: `ArtifactMissing`, `DigestMismatch`, `CommandMissing`, `SecretUnusable`; retryable only
                `ArtifactBeingRead`, of an artifact so large that reading it goes on.
        """
        try:
            await self._ask("POST", "/v1/verify", Verification(spec=spec))
        except BackendError as error:
            message = f"{model} {version}: {error.message}"
            raise BackendError(error.reason, message, retryable=error.retryable) from None

    async def ensure(self, level: CopiesLevel) -> Observation:
        """Bring one version of a deployment to a level; copies may still be starting when this returns."""
        answer = await self._ask("PUT", f"/v1/targets/{self._target}/level", level)
        return Observation.model_validate_json(answer)

    async def observe(self, deployment: str | None = None) -> Observation:
        """Read the whole target, or one deployment's part."""
        query = f"?deployment={quote(deployment, safe='')}" if deployment is not None else ""
        return Observation.model_validate_json(await self._ask("GET", f"/v1/targets/{self._target}{query}"))

    async def send(self, copy: Copy, method: str, path: str, body: Any | None, timeout: float) -> HttpAnswer:
        """Send one request straight to a copy."""
        if copy.address is None or not path.startswith("/"):
            raise BackendError("CopyUnreachable", f"copy {copy.id} cannot be asked for {path}", retryable=False)
        began = time.monotonic()
        try:
            async with loopback_client(timeout) as client:
                answer = await client.request(method, f"http://{copy.address}{path}", json=body)
        except httpx.TimeoutException:
            message = f"copy {copy.id} did not answer {path} within {timeout:g} s"
            raise BackendError("CopyTimedOut", message, retryable=True) from None
        except httpx.HTTPError as error:
            message = f"copy {copy.id} did not answer {path}: {error or type(error).__name__}"
            raise BackendError("CopyUnreachable", message, retryable=True) from None
        return HttpAnswer(status=answer.status_code, body=answer.content, seconds=time.monotonic() - began)

    async def logs(self, copy_id: str, tail: int) -> list[str]:
        """The last lines that a copy wrote, its secret masked; also of a copy lately gone."""
        answer = await self._ask("GET", f"/v1/copies/{quote(copy_id, safe='')}/logs?lines={tail}")
        return Lines.model_validate_json(answer).lines

    async def facts(self) -> AgentFacts:
        """What the agent says of itself, its GPUs, and the limits this system enforces."""
        return AgentFacts.model_validate_json(await self._ask("GET", "/v1/facts"))

    async def rest(self, seconds: float = END_GRACE + 5) -> int:
        """End every copy of every target on this machine and start none, until the agent is started anew.

        Levels stay as they are, so the next agent starts the copies again.

        Returns:
            How many copies still run after `seconds`.
        """
        answer = await self._ask("POST", f"/v1/rest?seconds={seconds}", timeout=seconds + AGENT_TIMEOUT)
        return Rested.model_validate_json(answer).running

    async def _ask(
        self,
        method: str,
        path: str,
        body: Declaration | Verification | CopiesLevel | None = None,
        timeout: float = AGENT_TIMEOUT,
    ) -> bytes:
        """Ask the agent.

        Raises:
            FenceRefusedError: the level is older than one already seen.
            BackendError: the agent could not do it, or could not be reached.
        """
        transport = httpx.AsyncHTTPTransport(uds=str(self._socket), verify=False)
        try:
            async with httpx.AsyncClient(transport=transport, base_url="http://agent", timeout=timeout) as client:
                answer = await client.request(
                    method,
                    path,
                    content=body.model_dump_json() if body is not None else None,
                    headers={"content-type": "application/json"},
                )
        except httpx.HTTPError as error:
            message = (
                f"the agent of this machine does not answer on {self._socket} ({error or type(error).__name__}): "
                "see `longshore doctor`"
            )
            raise BackendError("AgentUnavailable", message, retryable=True) from None
        if answer.is_success:
            return answer.content
        raise _trouble(answer)


def _trouble(answer: httpx.Response) -> FenceRefusedError | BackendError:
    try:
        trouble = Trouble.model_validate_json(answer.content)
    except ValueError:
        message = f"the agent answered {answer.status_code}: {answer.text[:300]}"
        return BackendError("AgentRefused", message, retryable=answer.is_server_error)
    if trouble.reason == FENCE_REFUSED:
        return FenceRefusedError(trouble.message)
    return BackendError(trouble.reason, trouble.message, retryable=trouble.retryable)
