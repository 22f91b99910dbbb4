"""The hosting operations of SageMaker as one service."""

from collections.abc import Mapping
from typing import Any

from longshore.emulator.control.account import Account
from longshore.emulator.control.components import Components
from longshore.emulator.control.endpoints import Endpoints
from longshore.emulator.control.models import Models
from longshore.emulator.control.stale import StaleReads
from longshore.emulator.control.tags import Tags
from longshore.emulator.protocol import Caller, Handler, JsonService
from longshore.emulator.world import World


def hosting(world: World) -> JsonService:
    """SageMaker's hosting operations over a world; each runs under its lock."""
    account = Account(world)
    rooms = (Models(account), Endpoints(account), Components(account), Tags(account))
    handlers = {name: handler for room in rooms for name, handler in room.handlers().items()}
    stale = StaleReads(world)
    return JsonService(
        "sagemaker",
        {name: _locked(world, stale.behind(name, handler)) for name, handler in handlers.items()},
        guard=world.faults.guard,
    )


def _locked(world: World, handler: Handler) -> Handler:
    def locked(caller: Caller, params: Mapping[str, Any]) -> Mapping[str, Any] | None:
        with world.lock:
            return handler(caller, params)

    return locked
