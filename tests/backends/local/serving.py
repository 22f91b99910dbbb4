"""A tiny model server, standard library only: what a copy needs to be, and knobs to misbehave.

It is started by the agent as `python serving.py …`; the knobs are files in the folder that CONTROL names, or flags:
a file `unready` makes it answer 503; `--exit` leaves at once; `--deaf` ignores SIGTERM; `--child` has a child process;
`--say TEXT` writes a line first.
"""

import json
import os
import signal
import subprocess
import sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path


class Handler(BaseHTTPRequestHandler):
    """Readiness, and a look at how this copy was started."""

    def do_GET(self) -> None:
        unready = "CONTROL" in os.environ and (Path(os.environ["CONTROL"]) / "unready").exists()
        self.send_response(503 if unready else 200)
        self.end_headers()
        self.wfile.write(json.dumps({"argv": sys.argv[1:], "env": dict(os.environ), "cwd": str(Path.cwd())}).encode())

    def log_message(self, *_: object) -> None:
        """Say nothing."""


def main() -> None:
    if "--say" in sys.argv:
        print(sys.argv[sys.argv.index("--say") + 1], flush=True)  # noqa: T201 - a server's log
    if "--leak" in sys.argv:
        print("token is", os.environ.get("TOKEN"), flush=True)  # noqa: T201 - what must be masked
    if "--exit" in sys.argv:
        sys.exit(3)
    if "--deaf" in sys.argv:
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
    if "--child" in sys.argv:
        subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
    ThreadingHTTPServer((os.environ["HOST"], int(os.environ["PORT"])), Handler).serve_forever()


if __name__ == "__main__":
    main()
