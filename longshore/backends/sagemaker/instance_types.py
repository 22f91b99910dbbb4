"""What instances of a type have: accelerators, and the memory of each. Data.

Sources, read in November 2026: AWS Batch User Guide, "Run GPU jobs" (G and P families: GPUs and their memory), the EC2
pages of P5 and of G6e instances, and the AWS Neuron documentation, "Inf1/Inf2/Trn1 architecture" (devices and their
memory). Memory is what AWS states for the device, in GiB; a version that asks for a little less than that fits.
"""

from collections.abc import Mapping
from typing import Final

from longshore.spec.base import Value


class InstanceType(Value):
    """The accelerators of one instance."""

    accelerators: int = 0
    accelerator_memory_gib: float = 0


_SIZES: Final[Mapping[str, tuple[float, Mapping[str, int]]]] = {
    "g4dn": (
        16,
        {"xlarge": 1, "2xlarge": 1, "4xlarge": 1, "8xlarge": 1, "12xlarge": 4, "16xlarge": 1},
    ),
    "g5": (
        24,
        {
            "xlarge": 1,
            "2xlarge": 1,
            "4xlarge": 1,
            "8xlarge": 1,
            "16xlarge": 1,
            "12xlarge": 4,
            "24xlarge": 4,
            "48xlarge": 8,
        },
    ),
    "g6": (
        24,
        {
            "xlarge": 1,
            "2xlarge": 1,
            "4xlarge": 1,
            "8xlarge": 1,
            "16xlarge": 1,
            "12xlarge": 4,
            "24xlarge": 4,
            "48xlarge": 8,
        },
    ),
    "g6e": (
        48,
        {
            "xlarge": 1,
            "2xlarge": 1,
            "4xlarge": 1,
            "8xlarge": 1,
            "16xlarge": 1,
            "12xlarge": 4,
            "24xlarge": 4,
            "48xlarge": 8,
        },
    ),
    "p3": (16, {"2xlarge": 1, "8xlarge": 4, "16xlarge": 8}),
    "p3dn": (32, {"24xlarge": 8}),
    "p4d": (40, {"24xlarge": 8}),
    "p4de": (80, {"24xlarge": 8}),
    "p5": (80, {"4xlarge": 1, "48xlarge": 8}),
    "p5e": (141, {"48xlarge": 8}),
    "p5en": (141, {"48xlarge": 8}),
    "inf1": (8, {"xlarge": 1, "2xlarge": 1, "6xlarge": 4, "24xlarge": 16}),
    "inf2": (32, {"xlarge": 1, "8xlarge": 1, "24xlarge": 6, "48xlarge": 12}),
    "trn1": (32, {"2xlarge": 1, "32xlarge": 16}),
}
"""Family → (GiB of each accelerator, size → accelerators)."""
_WITHOUT: Final = frozenset("cmrt")
"""First letters of families without accelerators: compute, general, memory and burstable."""


def instance_type(name: str) -> InstanceType | None:
    """What an instance of a type (`ml.g5.12xlarge`) has; None when this build does not know it."""
    _, family, size = name.split(".")
    if family in _SIZES:
        memory, counts = _SIZES[family]
        return InstanceType(accelerators=counts[size], accelerator_memory_gib=memory) if size in counts else None
    return InstanceType() if family[0] in _WITHOUT and family[1:2].isdigit() else None
