"""Readiness probes: one GET to the copy itself, never through a proxy."""

import httpx

from longshore.backends.local.limits import PROBE_TIMEOUT
from longshore.backends.local.record import LOOPBACK


def loopback_client(timeout: float) -> httpx.AsyncClient:
    """A client for plain HTTP on the loopback: no proxies from the environment, no certificates to load.

    Every request has a connection of its own: one kept open by an idle server would hide that it takes no new ones.
    """
    transport = httpx.AsyncHTTPTransport(verify=False, limits=httpx.Limits(max_keepalive_connections=0))
    return httpx.AsyncClient(transport=transport, trust_env=False, timeout=timeout)


async def why_not_ready(client: httpx.AsyncClient, port: int, path: str) -> str | None:
    """None if the copy says 200; else one line that says what it did instead."""
    try:
        answer = await client.get(f"http://{LOOPBACK}:{port}{path}")
    except httpx.TimeoutException:
        return f"GET {path} was not answered within {PROBE_TIMEOUT:g} s"
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        return f"GET {path} failed: {error or type(error).__name__}"
    return None if answer.status_code == httpx.codes.OK else f"GET {path} answered {answer.status_code}"
