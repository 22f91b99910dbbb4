"""Whether requests to AWS can be signed: what the doctor makes of what a gateway tells."""

from collections.abc import Mapping
from typing import Final

from longshore.stack.checking import Check, ill, well
from longshore.traffic.signing import Signing

_NAME: Final = "signing"
_GIVE: Final = (
    "set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or AWS_PROFILE with a credentials file, "
    "or give the machine a role; then longshore down, longshore up"
)
_ASK_WITHIN: Final = 1.0
"""Seconds: a machine's metadata are beside it, or not at all."""


def signing_check(found: Signing, machine_role: str | None) -> Check:
    """One gateway's line. Pure.

    Args:
        found: What the gateway tells.
        machine_role: The role of the machine that it shares with us, of which it hears with its first request.
    """
    source = found.source or (machine_role and f"the role {machine_role} of this machine")
    if found.unsigned:
        said = f"{found.gateway} sent requests to AWS without a signature: {_counted(found.unsigned)}"
        return ill(_NAME, said, _GIVE)
    if not source:
        said = f"{found.gateway} has no AWS credentials: requests to SageMaker would go out unsigned, and fail"
        return ill(_NAME, said, _GIVE)
    if found.refused_roles:
        said = f"{found.gateway} may not take on its target's role (STS in {', '.join(found.refused_roles)} said no)"
        return ill(_NAME, said, f"allow sts:AssumeRole of that role to {source}, and trust it in the role")
    if found.denied:
        said = f"AWS denied every request that {found.gateway} signed (403): {_counted(found.denied)}"
        return ill(_NAME, said, f"allow sagemaker:InvokeEndpoint to {source}, or renew it")
    return well(_NAME, f"{found.gateway} signs requests to AWS, with credentials of {source}")


def role_of_this_machine() -> str | None:
    """The role that this machine's metadata give credentials of; None when there is none."""
    from botocore.utils import InstanceMetadataFetcher

    fetcher = InstanceMetadataFetcher(timeout=_ASK_WITHIN, num_attempts=1)
    role: str | None = fetcher.retrieve_iam_role_credentials().get("role_name")
    return role


def _counted(requests: Mapping[str, int]) -> str:
    return ", ".join(f"{count} of {name}" for name, count in sorted(requests.items()))
