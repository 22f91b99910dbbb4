"""How much memory a copy's processes hold, to end one that outgrows what its version asked for.

Where a cgroup is not ours to make, this is the limit that an agent can keep. Only what the system cannot take back
counts: anonymous and shared memory, and not the pages of a weights file that is mapped, nor address space, of which
CUDA reserves far more than it uses.
"""

import os
from pathlib import Path

import psutil

LIMITED = Path("/proc/self/status").exists()
"""Whether this system tells what of a process's memory cannot be taken back; Linux does (proc(5), RssAnon)."""

_COUNTED = ("RssAnon:", "RssShmem:")
_GIB = 1024**3


def held_gib(leader: int) -> float:
    """GiB that a process and all of its session hold; 0 for one that is gone."""
    return sum(_held(pid) for pid in _session(leader)) / _GIB


def _session(leader: int) -> list[int]:
    members = []
    for pid in psutil.pids():
        try:
            if os.getsid(pid) == leader:
                members.append(pid)
        except OSError:
            continue
    return members


def _held(pid: int) -> int:
    """Bytes of one process."""
    try:
        lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    except OSError:
        return 0
    return sum(int(line.split()[1]) * 1024 for line in lines if line.startswith(_COUNTED))
