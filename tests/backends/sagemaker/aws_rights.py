"""What the shipped IAM policy allows, and which actions the adapter's calls need."""

import json
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).parents[3]
POLICY: Final = json.loads((ROOT / "deploy" / "aws" / "longshore-policy.json").read_text())
OTHERWISE: Final = {
    "s3:HeadObject": "s3:GetObject",
    "s3:ListObjectsV2": "s3:ListBucket",
    "sagemaker-runtime:InvokeEndpoint": "sagemaker:InvokeEndpoint",
}
"""Calls whose action has another name (IAM's service authorization reference)."""


def action_of(service: str, operation: str) -> str:
    """The IAM action of a call."""
    call = f"{service}:{operation}"
    return OTHERWISE.get(call, call)


def allowed() -> set[str]:
    """Every action in the policy."""
    return {action for statement in POLICY["Statement"] for action in statement["Action"]}
