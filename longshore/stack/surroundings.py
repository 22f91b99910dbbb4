"""What an Envoy will find on this machine: whom it trusts, and where its credentials for AWS are from."""

from collections.abc import Mapping
from configparser import ConfigParser, Error
from pathlib import Path
from typing import Final

_AUTHORITIES: Final = (
    "/etc/ssl/certs/ca-certificates.crt",  # Debian, Ubuntu, Alpine
    "/etc/pki/tls/certs/ca-bundle.crt",  # Fedora, RHEL, Amazon Linux
    "/etc/ssl/ca-bundle.pem",  # openSUSE
    "/etc/ssl/cert.pem",  # macOS
)
_CONTAINER: Final = ("AWS_CONTAINER_CREDENTIALS_RELATIVE_URI", "AWS_CONTAINER_CREDENTIALS_FULL_URI")


def authorities(environment: Mapping[str, str]) -> str | None:
    """The file of the authorities whose certificates are trusted; None when this machine has none."""
    told = (environment.get("AWS_CA_BUNDLE"), environment.get("SSL_CERT_FILE"))
    return next((file for file in (*told, *_AUTHORITIES) if file and Path(file).is_file()), None)


def credentials(environment: Mapping[str, str]) -> str | None:
    """Where Envoy finds credentials, in words; None when only the machine's own role is left to ask for.

    The same places in the same order as in Envoy's default chain of providers, which knows neither SSO nor
    `credential_process` nor roles in profiles: what botocore finds there, Envoy does not.
    """
    if environment.get("AWS_ACCESS_KEY_ID") and environment.get("AWS_SECRET_ACCESS_KEY"):
        return "AWS_ACCESS_KEY_ID"
    if found := _profile(environment):
        return found
    if environment.get("AWS_WEB_IDENTITY_TOKEN_FILE") and environment.get("AWS_ROLE_ARN"):
        return "AWS_WEB_IDENTITY_TOKEN_FILE"
    return next((name for name in _CONTAINER if environment.get(name)), None)


def _profile(environment: Mapping[str, str]) -> str | None:
    home = environment.get("HOME")
    told = environment.get("AWS_SHARED_CREDENTIALS_FILE") or (home and f"{home}/.aws/credentials")
    if not told:
        return None
    name = environment.get("AWS_PROFILE") or "default"
    profiles = ConfigParser(interpolation=None)
    try:
        profiles.read(told)
    except (Error, OSError, UnicodeDecodeError):
        return None
    keys = ("aws_access_key_id", "aws_secret_access_key")
    return f"profile {name} of {told}" if all(profiles.get(name, key, fallback="") for key in keys) else None
