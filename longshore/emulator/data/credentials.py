"""Who may sign: the emulator's own key, and every key that its IAM and STS have handed out since."""

from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import NamedTuple

ACCESS_KEY_ID = "AKIALONGSHOREEMULATE"
SECRET_ACCESS_KEY = "longshore/emulator/no/secret/at/all/0000"  # noqa: S105 - of an emulator on the loopback


class Credentials(NamedTuple):
    """One key: its secret and, for a temporary one, the token that goes with it and when both end."""

    access_key: str
    secret_key: str
    token: str | None = None
    expires: datetime | None = None


OWN = Credentials(ACCESS_KEY_ID, SECRET_ACCESS_KEY)
"""What `longshore emulate sagemaker` tells people to export."""

CredentialsOf = Callable[[str], Credentials | None]
"""The credentials of an access key; None if nobody has them."""


def known_credentials(access_key: str) -> Credentials | None:
    """The emulator's own key, one of an IAM user, or one of a role that was assumed."""
    if access_key == OWN.access_key:
        return OWN
    return next((found for found in _handed_out() if found.access_key == access_key), None)


def _handed_out() -> Iterator[Credentials]:
    """Keys of IAM users and of roles, as moto keeps them."""
    from moto.iam.models import iam_backends
    from moto.sts.models import sts_backends

    for in_sts in list(sts_backends.values()):
        for sts in list(in_sts.values()):
            for role in sts.assumed_roles:
                expires = role.expiration.replace(tzinfo=UTC)
                yield Credentials(role.access_key_id, role.secret_access_key, role.session_token, expires)
    for in_iam in list(iam_backends.values()):
        for iam in list(in_iam.values()):
            for user in list(iam.users.values()):
                for key in user.access_keys:
                    if key.status == "Active":
                        yield Credentials(key.access_key_id, key.secret_access_key)
