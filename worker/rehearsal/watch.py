"""`python -m worker.rehearsal.watch COMMAND…`: runs it until it ends or our stdin does, which our parent holds.

For systems whose kernel cannot bind a process to its parent.
"""

import subprocess
import sys
import threading


def main() -> int:
    """Run the command."""
    process = subprocess.Popen(sys.argv[1:], stdin=subprocess.DEVNULL)
    threading.Thread(target=_until_parent_ends, args=(process,), daemon=True).start()
    return process.wait()


def _until_parent_ends(process: "subprocess.Popen[bytes]") -> None:
    sys.stdin.buffer.read()
    process.kill()


if __name__ == "__main__":
    sys.exit(main())
