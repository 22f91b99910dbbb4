"""The copies of this machine: what is wanted of them, and what they are."""

import asyncio
import os
import secrets
import socket
from collections import Counter
from collections.abc import Sequence
from datetime import UTC, datetime
from itertools import chain
from pathlib import Path

import structlog

from longshore.backends.local.durable import Durable
from longshore.backends.local.levels import Steps, steps_to
from longshore.backends.local.limits import PORTS
from longshore.backends.local.placement import Device, Place, choose_cpus, place, places_of
from longshore.backends.local.record import LOOPBACK, CopyRecord, DeploymentState
from longshore.backends.port import CopiesLevel
from longshore.planning.fence import FenceRefusedError
from longshore.planning.observed import Observation, ObservedHost
from longshore.spec.target import Host

logger = structlog.get_logger(__name__)


class Fleet:
    """Levels in, records out. It starts and ends no process: the keeper does, from the records."""

    def __init__(self, folder: Path, machine: str, gpus: Sequence[Device]) -> None:
        self.folder = folder
        self.machine = machine
        self.gpus = tuple(gpus)
        self.durable = Durable(folder)
        self.changed = asyncio.Event()
        """Set when a level or a record changed, so that the keeper looks at once."""
        self._unplaced: dict[tuple[str, str, str], int] = {}

    def declare(self, target: str, hosts: tuple[Host, ...]) -> None:
        """Make a target's declared hosts known. Copies that are there stay where they are."""
        self.durable.save_hosts(target, hosts)
        self.changed.set()

    def ensure(self, target: str, level: CopiesLevel) -> Observation:
        """Remember a level, decide what it asks for, and say what is there.

        Raises:
            FenceRefusedError: the level is older than one already seen.
        """
        state = self.durable.state(target, level.deployment)
        if state.fence is not None and level.fence < state.fence:
            raise FenceRefusedError(
                f"{level.deployment}: step {level.fence.operation}.{level.fence.step} comes after "
                f"{state.fence.operation}.{state.fence.step} was carried out; nothing was changed"
            )
        levels = {**state.levels, level.version: level}
        if level.copies == 0 and level.surplus == "end" and not state.of_version(level.version):
            del levels[level.version]
        self.durable.save(state.model_copy(update={"fence": level.fence, "levels": levels}))
        self.settle(target, level.deployment)
        self.changed.set()
        return self.observe(target, level.deployment)

    def observe(self, target: str, deployment: str | None = None) -> Observation:
        """Read the whole target, or one deployment's part."""
        states = [state for state in self.durable.states() if state.target == target]
        if deployment is not None:
            states = [state for state in states if state.deployment == deployment]
        places = self._places(target)
        return Observation(
            target=target,
            sequence=self.durable.next_sequence(),
            at=datetime.now(UTC),
            hosts=tuple(
                ObservedHost(name=host.name, accelerators=len(host.devices), accelerator_memory_gib=host.memory_gib)
                for host in places
            ),
            copies=tuple(copy.observed(state.deployment) for state in states for copy in state.copies),
            deployment=deployment,
        )

    def level_of(self, copy_id: str) -> CopiesLevel | None:
        """The level that a copy serves; None when the copy is gone."""
        for state in self.durable.states():
            for copy in state.copies:
                if copy.id == copy_id:
                    return state.levels[copy.version]
        return None

    def settle(self, target: str, deployment: str) -> None:
        """Bring the records of a deployment to its levels, as far as there is room."""
        for version in self.durable.state(target, deployment).levels:
            state = self.durable.state(target, deployment)
            level = state.levels[version]
            steps = steps_to(level, state.of_version(version))
            state = _marked(state, steps)
            missing = steps.start
            while missing and (copy := self._new_copy(state, level)) is not None:
                state = state.with_copy(copy)
                missing -= 1
            self._tell_unplaced((target, deployment, version), missing)
            self.durable.save(state)

    def _new_copy(self, state: DeploymentState, level: CopiesLevel) -> CopyRecord | None:
        """A record of one more copy, with its accelerators and port; None when there is no room.

        Copies of `state` are taken from there, for it may be ahead of what is saved.
        """
        others = [
            copy
            for other in self.durable.states()
            if (other.target, other.deployment) != (state.target, state.deployment)
            for copy in other.copies
        ]
        everywhere = [*others, *state.copies]
        serving = [copy for copy in state.of_version(level.version) if not copy.ending and not copy.draining]
        slot = place(
            self._places(state.target),
            {device for copy in everywhere for device in copy.slot.devices},
            level.spec.resources,
            wanted=level.placement,
            serving=Counter(copy.slot.host for copy in serving),
        )
        if slot is None:
            return None
        ports = {copy.port for copy in everywhere}
        port = level.spec.server.port
        if port in ports:  # a fixed one, as scarce as a GPU: two copies behind it would pass each other's probes
            return None
        load = Counter(cpu for copy in everywhere for cpu in copy.cpus)
        return CopyRecord(
            id=f"{state.deployment}-{level.version}-{secrets.token_hex(4)}",
            model=level.model,
            version=level.version,
            slot=slot,
            port=_free_port(ports) if port == "auto" else port,
            cpus=choose_cpus(_usable_cpus(), load, level.spec.resources.cpus),
            created_at=datetime.now(UTC),
        )

    def _places(self, target: str) -> tuple[Place, ...]:
        return places_of(target, self.durable.hosts(target), self.machine, self.gpus)

    def _tell_unplaced(self, key: tuple[str, str, str], missing: int) -> None:
        """Log once, not at every look, that copies wait for room."""
        if missing == self._unplaced.get(key, 0):
            return
        self._unplaced[key] = missing
        if missing:
            target, deployment, version = key
            logger.warning("no room for copies", target=target, deployment=deployment, version=version, copies=missing)


def _marked(state: DeploymentState, steps: Steps) -> DeploymentState:
    """The records with the steps' marks on them."""
    marks: dict[str, dict[str, bool]] = {
        **{copy_id: {"draining": False} for copy_id in steps.recall},
        **{copy_id: {"draining": True} for copy_id in steps.drain},
        **{copy_id: {"ending": True, "ready": False} for copy_id in steps.end},
    }
    copies = tuple(copy.model_copy(update=marks[copy.id]) if copy.id in marks else copy for copy in state.copies)
    return state.model_copy(update={"copies": copies})


def _free_port(taken: set[int]) -> int:
    """A port that no copy has and nobody listens on. Begun anywhere, so that one just left is not the next."""
    begin = secrets.randbelow(len(PORTS))
    for port in chain(PORTS[begin:], PORTS[:begin]):
        if port in taken:
            continue
        with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind((LOOPBACK, port))
            except OSError:
                continue
            return port
    raise OSError(f"every port from {PORTS.start} to {PORTS.stop - 1} is taken")


def _usable_cpus() -> set[int]:
    """The CPUs this process may use; none where the system cannot hold a process to some."""
    return os.sched_getaffinity(0) if hasattr(os, "sched_getaffinity") else set()
