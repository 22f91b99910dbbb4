"""A tiny model server, standard library only: what a copy needs to be, and knobs to misbehave.

Started by the agent as `python serving.py …`. It notes each of its starts in the folder that CONTROL names; a file
`unready` there makes it answer 503. `--exit` leaves at once, `--deaf` ignores SIGTERM, `--child` has a child process,
`--say TEXT` writes a line first, `--hoard MIB` takes that much memory, `--leak` writes its secret, `--hide` loses its
environment, as servers do that set their process title.
"""

import json
import os
import signal
import subprocess
import sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

CONTROL = Path(os.environ["CONTROL"])
MARKS = ("LONGSHORE_COPY_ID", "LONGSHORE_AGENT")


class Handler(BaseHTTPRequestHandler):
    """Readiness, and a look at how this copy was started."""

    def do_GET(self) -> None:
        self.send_response(503 if (CONTROL / "unready").exists() else 200)
        self.end_headers()
        self.wfile.write(json.dumps({"argv": sys.argv[1:], "env": dict(os.environ)}).encode())

    def log_message(self, *_: object) -> None:
        """Say nothing."""


def main() -> None:
    if "LONGSHORE_COPY_ID" in os.environ:
        with (CONTROL / "starts").open("a") as starts:
            starts.write(f"{os.environ['LONGSHORE_COPY_ID']}\n")
        if "--hide" in sys.argv:
            left = {name: value for name, value in os.environ.items() if name not in MARKS}
            os.execve(sys.executable, [sys.executable, *sys.argv], left)  # noqa: S606 - no shell is meant
    if "--say" in sys.argv:
        print(sys.argv[sys.argv.index("--say") + 1], flush=True)  # noqa: T201 - a server's log
    _hoard = b"x" * (int(sys.argv[sys.argv.index("--hoard") + 1]) << 20) if "--hoard" in sys.argv else b""
    if "--leak" in sys.argv:
        print("my token is", os.environ["TOKEN"], flush=True)  # noqa: T201 - what must be masked
    if "--exit" in sys.argv:
        sys.exit(3)
    if "--deaf" in sys.argv:
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
    if "--child" in sys.argv:
        subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
    ThreadingHTTPServer((os.environ["HOST"], int(os.environ["PORT"])), Handler).serve_forever()


if __name__ == "__main__":
    main()
