"""What a delegated update remembers between two decisions, and the stages it goes through."""

from datetime import datetime
from enum import StrEnum

from longshore.planning.freezing import Freezable


class Stage(StrEnum):
    """Where it is."""

    DOUBT = "doubt"
    GATE = "gate"
    VERIFY = "verify"
    GIVE_UP_WARM = "give-up-warm"
    RESERVE = "reserve"
    HOLD = "hold"
    HAND_OVER = "hand-over"
    FOLLOW = "follow"
    SHIFT = "shift"
    CONFIRM = "confirm"


class DelegatedState(Freezable):
    """An update that the platform carries out."""

    stage: Stage = Stage.GATE
    warm_asked: bool = False
    """Whether others were asked for the room of their warm copies."""
    returning: bool = False
    """Whether the old version is asked for again: an operation before this one left it in doubt."""
    again: bool = False
    """Whether the new version is asked for once the old one is back."""
    handed: bool = False
    """Whether the platform may have been asked; nothing can be taken back from then on."""
    give_up_at: datetime | None = None
    """When to stop following: long after the platform itself should have given up."""
    looks: int = 0
    """How often was looked; the pauses between grow with it."""
