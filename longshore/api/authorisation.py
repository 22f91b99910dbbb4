"""Who may do what: every endpoint names its permission, and this table names the roles that have it."""

import base64
import binascii
from collections.abc import Iterable, Mapping
from http import HTTPStatus
from typing import Annotated, Final, Literal

from fastapi import Depends, Request, Security
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer

from longshore.api.dependencies import Dependencies, dependencies_of
from longshore.api.problems import ProblemError
from longshore.store.records import ApiKey

Permission = Literal["read", "change", "approve", "override", "manage keys"]
Role = Literal["viewer", "operator", "approver", "admin"]

ROLES: Final[Mapping[Permission, frozenset[Role]]] = {
    "read": frozenset({"viewer", "operator", "approver", "admin"}),
    "change": frozenset({"operator", "admin"}),
    "approve": frozenset({"approver", "admin"}),
    "override": frozenset({"approver", "admin"}),
    "manage keys": frozenset({"admin"}),
}
"""Permission → roles that have it. A key may have further roles, of its owner's making, which approvals ask for."""

_bearer = HTTPBearer(auto_error=False, description="An API key: `Authorization: Bearer lsk_…`.")


class Permitted:
    """A dependency: the caller's key, when one of its roles has the permission."""

    def __init__(self, permission: Permission) -> None:
        self.permission = permission

    async def __call__(
        self,
        dependencies: Annotated[Dependencies, Depends(dependencies_of)],
        credentials: Annotated[HTTPAuthorizationCredentials | None, Security(_bearer)],
    ) -> ApiKey:
        """The key of `Authorization: Bearer …`.

        Raises:
            ProblemError: 401 without a valid key, 403 when its roles do not suffice.
        """
        key = await verified(dependencies, credentials.credentials if credentials else None)
        require(self.permission, key.name, key.roles, self.permission)
        return key


def require(permission: Permission, name: str, roles: Iterable[str], what: str) -> None:
    """Let the key of this name and roles go on, if one of them has a permission, with what it wants to do.

    Raises:
        ProblemError: 403; none has it.
    """
    if not ROLES[permission].intersection(roles):
        raise ProblemError(
            HTTPStatus.FORBIDDEN,
            "Forbidden",
            f"the key {name!r} may not {what}: ask for a key with one of the roles "
            + ", ".join(sorted(ROLES[permission])),
        )


Reader = Annotated[ApiKey, Depends(Permitted("read"))]
Changer = Annotated[ApiKey, Depends(Permitted("change"))]
Approver = Annotated[ApiKey, Depends(Permitted("approve"))]
Overrider = Annotated[ApiKey, Depends(Permitted("override"))]
KeyManager = Annotated[ApiKey, Depends(Permitted("manage keys"))]


async def verified(dependencies: Dependencies, plaintext: str | None, challenge: str = "Bearer") -> ApiKey:
    """The key behind a plaintext.

    Raises:
        ProblemError: 401; there is none, or it was revoked.
    """
    key = await dependencies.store.keys.verify(plaintext) if plaintext else None
    if key is None:
        raise ProblemError(
            HTTPStatus.UNAUTHORIZED,
            "Unauthorized",
            "this needs an API key: send `Authorization: Bearer KEY`; `longshore up` leaves one in its home"
            if not plaintext
            else "this API key is not known, or was revoked",
            headers={"WWW-Authenticate": f'{challenge} realm="longshore"'},
        )
    return key


def bearer_token(request: Request) -> str | None:
    """The token of `Authorization: Bearer …`, for endpoints that are not of /v1."""
    scheme, _, token = request.headers.get("authorization", "").partition(" ")
    return token.strip() or None if scheme.lower() == "bearer" else None


def basic_password(request: Request) -> str | None:
    """The password of HTTP Basic: how a browser, which cannot send a bearer token, brings the key to a page."""
    scheme, _, encoded = request.headers.get("authorization", "").partition(" ")
    if scheme.lower() != "basic":
        return None
    try:
        _, _, password = base64.b64decode(encoded, validate=True).decode().partition(":")
    except (binascii.Error, UnicodeDecodeError):
        return None
    return password or None
