"""Which planner brings a deployment from one version to another: our own, or the one that hands it to the platform."""

from types import ModuleType
from typing import NamedTuple

from longshore.planning.delegated import planner as delegated
from longshore.planning.delegated.policy import is_delegated
from longshore.planning.delegated.state import DelegatedState
from longshore.planning.operation import OperationOrder, State
from longshore.planning.rollout import planner as rollout
from longshore.planning.rollout.state import RolloutState


class Mover(NamedTuple):
    """A planner, and what it remembers."""

    planner: ModuleType
    state: type[State]


def mover_of(order: OperationOrder) -> Mover:
    """The planner of an order to onboard, roll out or undo."""
    return Mover(delegated, DelegatedState) if is_delegated(order) else Mover(rollout, RolloutState)
