"""Real instance types and what is in them, as data.

Source: EC2's `DescribeInstanceTypes`, as moto has recorded it; a test compares. An `ml.` type has what the EC2 type
of that name has. The accelerator's memory is what its maker says of one device; EC2 counts what is left of it for use.
"""

from typing import NamedTuple

from longshore.emulator.errors import invalid


class Room(NamedTuple):
    """What one instance has."""

    vcpus: int
    memory_gib: float
    accelerators: int
    accelerator: str | None
    """The accelerator's product name."""
    accelerator_gib: float
    """Memory of one accelerator."""


def _family(prefix: str, accelerator: str | None, gib: float, *sizes: tuple[str, int, float, int]) -> dict[str, Room]:
    return {f"ml.{prefix}.{size}": Room(cpus, memory, count, accelerator, gib) for size, cpus, memory, count in sizes}


_GENERAL = (("large", 2, 8, 0), ("xlarge", 4, 16, 0), ("2xlarge", 8, 32, 0), ("4xlarge", 16, 64, 0))
_COMPUTE = (("large", 2, 4, 0), ("xlarge", 4, 8, 0), ("2xlarge", 8, 16, 0), ("4xlarge", 16, 32, 0))
_G_SIZES = (
    ("xlarge", 4, 16, 1),
    ("2xlarge", 8, 32, 1),
    ("4xlarge", 16, 64, 1),
    ("8xlarge", 32, 128, 1),
    ("12xlarge", 48, 192, 4),
    ("16xlarge", 64, 256, 1),
    ("24xlarge", 96, 384, 4),
    ("48xlarge", 192, 768, 8),
)
_G6E_SIZES = (
    ("xlarge", 4, 32, 1),
    ("2xlarge", 8, 64, 1),
    ("4xlarge", 16, 128, 1),
    ("8xlarge", 32, 256, 1),
    ("12xlarge", 48, 384, 4),
    ("16xlarge", 64, 512, 1),
    ("24xlarge", 96, 768, 4),
    ("48xlarge", 192, 1536, 8),
)

TYPES: dict[str, Room] = {
    **_family("m5", None, 0, *_GENERAL),
    **_family("m6i", None, 0, *_GENERAL),
    **_family("c5", None, 0, ("large", 2, 4, 0), ("xlarge", 4, 8, 0), ("2xlarge", 8, 16, 0), ("4xlarge", 16, 32, 0)),
    **_family("c6i", None, 0, *_COMPUTE),
    **_family(
        "g4dn",
        "NVIDIA T4",
        16,
        ("xlarge", 4, 16, 1),
        ("2xlarge", 8, 32, 1),
        ("4xlarge", 16, 64, 1),
        ("8xlarge", 32, 128, 1),
        ("12xlarge", 48, 192, 4),
        ("16xlarge", 64, 256, 1),
    ),
    **_family("g5", "NVIDIA A10G", 24, *_G_SIZES),
    **_family("g6", "NVIDIA L4", 24, *_G_SIZES),
    **_family("g6e", "NVIDIA L40S", 48, *_G6E_SIZES),
    **_family("p4d", "NVIDIA A100", 40, ("24xlarge", 96, 1152, 8)),
    **_family("p4de", "NVIDIA A100", 80, ("24xlarge", 96, 1152, 8)),
    **_family("p5", "NVIDIA H100", 80, ("4xlarge", 16, 256, 1), ("48xlarge", 192, 2048, 8)),
    **_family("p5e", "NVIDIA H200", 141, ("48xlarge", 192, 2048, 8)),
    **_family("p5en", "NVIDIA H200", 141, ("48xlarge", 192, 2048, 8)),
    **_family(
        "inf2",
        "AWS Inferentia2",
        32,
        ("xlarge", 4, 16, 1),
        ("8xlarge", 32, 128, 1),
        ("24xlarge", 96, 384, 6),
        ("48xlarge", 192, 768, 12),
    ),
}


def room_of(instance_type: str) -> Room:
    """What an instance of a type has.

    Raises:
        AwsError: the type is not in the table; the message says so, for it is the emulator's limit and not AWS's.
    """
    room = TYPES.get(instance_type)
    if room is None:
        families = sorted({name.split(".")[1] for name in TYPES})
        raise invalid(f"The emulator has no {instance_type}; it has the families {', '.join(families)}.")
    return room
