"""What the doctor can know without a stack: Python, programs, home, ports."""

import os
import platform
import shutil
import stat
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

from longshore.settings import Settings
from longshore.stack import locks, ports
from longshore.stack.binaries import ENVOY, POSTGRES, TEMPORAL, Wheel
from longshore.stack.checking import Check, ill, well
from longshore.stack.errors import StackError
from longshore.stack.places import LEAST_FREE_BYTES, Places
from longshore.stack.state import StackState

_COMFORTABLE_FREE_BYTES = 4 * LEAST_FREE_BYTES
_VERSION_WITHIN = 20.0


def python_check() -> Check:
    """The interpreter; one too old could not have installed Longshore."""
    return well("python", f"{platform.python_version()} at {sys.executable}")


def program_checks(environment: Mapping[str, str]) -> list[Check]:
    """The programs that come as wheels are there, or stood in for by an address."""
    return [
        _program_check(TEMPORAL, "TEMPORAL_ADDRESS", environment),
        _program_check(POSTGRES, "LONGSHORE_DATABASE_URL", environment),
        _program_check(ENVOY, None, environment),
    ]


def _program_check(wheel: Wheel, instead: str | None, environment: Mapping[str, str]) -> Check:
    name = f"{wheel.program} program"
    if instead and environment.get(instead):
        return well(name, f"not needed, {instead} is set")
    try:
        subprocess.run([wheel.locate(), "--version"], capture_output=True, timeout=_VERSION_WITHIN, check=True)
    except StackError as error:
        return ill(name, error.problem, error.cure)
    except (OSError, subprocess.SubprocessError) as error:
        return ill(name, f"{wheel.distribution} {wheel.version()} does not run here ({error})", wheel.instead)
    return well(name, f"{wheel.distribution} {wheel.version()} runs here")


def home_checks(home: Path) -> list[Check]:
    """The home can be written and has room; one that is not there yet is judged by the folder it will be made in."""
    above = next(folder for folder in (home, *home.parents) if folder.exists())
    checks = []
    if home.exists() and home.stat().st_uid != os.geteuid():
        checks.append(ill("home", f"{home} belongs to another user", "set LONGSHORE_HOME to a folder of your own"))
    elif not os.access(above, os.W_OK | os.X_OK):
        checks.append(ill("home", f"{above} cannot be written", "set LONGSHORE_HOME to a folder that you may write"))
    else:
        checks.append(well("home", str(home)))
    free = shutil.disk_usage(above).free
    if free < _COMFORTABLE_FREE_BYTES:
        cure = "free some space, or set LONGSHORE_HOME to a folder on another disk"
        checks.append(ill("disk", f"{free // 2**20} MiB left for {home}", cure))
    else:
        checks.append(well("disk", f"{free / 2**30:.0f} GiB left"))
    return checks


def port_checks(places: Places, running: StackState | None) -> list[Check]:
    """The ports are free, or ours."""
    if running is not None:
        base = int(running.addresses["portBase"])
        return [well("ports", f"{base} to {base + ports.COUNT - 1}, ours")]
    try:
        chosen = ports.choose(places.home, ports.base_from_environment())
    except StackError as error:
        return [ill("ports", error.problem, error.cure)]
    if any(locks.is_held(lock) for lock in places.locks()):
        return [ill("ports", "parts of a stack run without their supervisor", "longshore up takes them over")]
    for port in range(chosen.base, chosen.base + ports.COUNT):
        if not ports.free(port):
            taken = ports.in_use(port, "Longshore")
            return [ill("ports", taken.problem, taken.cure)]
    return [well("ports", f"{chosen.base} to {chosen.base + ports.COUNT - 1} are free")]


def key_check(settings: Settings) -> Check:
    """The admin's key is there, and nobody else may read it."""
    file = settings.admin_key_file
    try:
        mode = stat.S_IMODE(file.stat().st_mode)
    except OSError:
        return ill("admin key", f"{file} is not there", "longshore down, then longshore up, makes a new one")
    if mode & 0o077:
        return ill("admin key", f"others may read {file}", f"chmod 600 {file}")
    return well("admin key", f"{file}, for its user alone")
