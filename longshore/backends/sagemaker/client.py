"""Calls to AWS: boto3 in threads, with a target's role and region, and with errors in our words."""

import asyncio
import threading
from functools import partial
from typing import Any, Final

import boto3
from botocore import xform_name
from botocore.config import Config
from botocore.credentials import AssumeRoleCredentialFetcher, DeferredRefreshableCredentials
from botocore.exceptions import BotoCoreError, ClientError, NoCredentialsError
from botocore.session import Session
from botocore.session import get_session as botocore_session

from longshore.backends.sagemaker.errors import translated

CONNECT_S: Final = 3
READ_S: Final = 6
ATTEMPTS: Final = 2
"""Two attempts of a call end before the activity that waits for them does (20 s); then the activity is tried again."""
CONNECTIONS: Final = 16


class Aws:
    """One target's way to AWS: `await aws.call("sagemaker", "DescribeEndpoint", EndpointName="fleet")`.

    Credentials are those of the standard chain, and with a role those of the role, renewed before they end.
    Endpoints are boto3's own: `AWS_ENDPOINT_URL` and its kin lead to an emulator.
    """

    def __init__(self, target: str, region: str, role: str | None = None) -> None:
        self.region = region
        self._target = target
        self._role = role
        self._session: boto3.Session | None = None
        self._clients: dict[tuple[str, float], Any] = {}
        self._making = threading.Lock()

    async def call(self, service: str, operation: str, /, **request: Any) -> dict[str, Any]:
        """Make one call; `operation` is AWS's own word.

        Raises:
            AwsError: AWS refused it, or did not answer; `AbsentError` and `TakenError` are kinds of it.
        """
        return await self.call_within(READ_S, service, operation, **request)

    async def call_within(self, read_s: float, service: str, operation: str, /, **request: Any) -> dict[str, Any]:
        """Make one call whose answer may take so many seconds.

        A call that is cancelled is still waited for: whoever comes next must not be overtaken by it.

        Raises:
            AwsError: as `call`.
        """
        work = asyncio.create_task(asyncio.to_thread(self._call, service, operation, read_s, request))
        try:
            return await asyncio.shield(work)
        except asyncio.CancelledError:
            await asyncio.wait({work})
            raise

    async def all(self, service: str, operation: str, key: str, **request: Any) -> list[dict[str, Any]]:
        """Every entry under `key`, of as many pages as there are.

        Raises:
            AwsError: as `call`.
        """
        entries: list[dict[str, Any]] = []
        token: dict[str, Any] = {}
        while True:
            answer = await self.call(service, operation, **request, **token)
            entries += answer.get(key, [])
            if not answer.get("NextToken"):
                return entries
            token = {"NextToken": answer["NextToken"]}

    async def url(self, service: str) -> str:
        """Where a service is: `https://runtime.sagemaker.eu-central-1.amazonaws.com`."""
        client = await asyncio.to_thread(self.client, service)
        return str(client.meta.endpoint_url)

    def client(self, service: str, read_s: float = READ_S) -> Any:
        """A boto3 client; making one takes a tenth of a second, so each is kept. To be called in a thread."""
        with self._making:
            if (service, read_s) not in self._clients:
                config = Config(
                    connect_timeout=CONNECT_S,
                    read_timeout=read_s,
                    retries={"mode": "adaptive", "total_max_attempts": ATTEMPTS},
                    max_pool_connections=CONNECTIONS,
                    user_agent_extra="longshore",
                )
                self._session = self._session or self._open()
                self._clients[service, read_s] = self._session.client(service, config=config)
            return self._clients[service, read_s]

    def _call(self, service: str, operation: str, read_s: float, request: dict[str, Any]) -> dict[str, Any]:
        try:
            method = getattr(self.client(service, read_s), xform_name(operation))
            answer: dict[str, Any] = method(**request)
        except (BotoCoreError, ClientError) as error:
            raise translated(error, service, operation) from None
        return answer

    def _open(self) -> boto3.Session:
        session: Session = botocore_session()
        session.set_config_variable("region", self.region)
        if self._role is None:
            return boto3.Session(botocore_session=session)
        own = session.get_credentials()
        if own is None:
            raise NoCredentialsError
        assumed: Session = botocore_session()
        fetcher = AssumeRoleCredentialFetcher(
            client_creator=partial(session.create_client, region_name=self.region),
            source_credentials=own,
            role_arn=self._role,
            extra_args={"RoleSessionName": f"longshore-{self._target}"[:64]},
        )
        assumed.set_config_variable("region", self.region)
        # botocore offers no public way to give a session credentials that renew themselves; boto3's own
        # documentation of assumed roles is for profiles, which a target does not have.
        assumed._credentials = DeferredRefreshableCredentials(fetcher.fetch_credentials, "assume-role")  # noqa: SLF001
        return boto3.Session(botocore_session=assumed)
