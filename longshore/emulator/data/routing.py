"""Which copy gets a call: least outstanding requests, or any. Source: the shape `ProductionVariantRoutingConfig`."""

import random
from collections.abc import Mapping, Sequence

from longshore.emulator.data.targets import Share


def choose_share(shares: Sequence[Share], chance: random.Random) -> Share:
    """One of the shares that have copies, by weight; any of them if none has one."""
    able = [share for share in shares if share.copies and share.weight > 0]
    if not able:
        return shares[0]
    return chance.choices(able, [share.weight for share in able])[0]


def choose_copy(copies: Sequence[str], strategy: str, outstanding: Mapping[str, int], chance: random.Random) -> str:
    """One copy: any, or any of those with the fewest calls that wait for their answer."""
    if strategy == "RANDOM":
        return chance.choice(copies)
    fewest = min(outstanding.get(copy, 0) for copy in copies)
    return chance.choice([copy for copy in copies if outstanding.get(copy, 0) == fewest])
