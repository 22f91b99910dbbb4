"""A model server for tests: it echoes, fails, streams, dawdles or dies, as its requests and its environment say.

Started as `python data_server.py PORT`. What it was given is at /invocations with the body `"environment"`.
"""

import json
import os
import sys
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def do_GET(self) -> None:
        self._reply(503 if os.environ.get("NEVER_READY") else 200, b"")

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        wanted = json.loads(body) if body[:1] in {b"{", b'"'} else {}
        match wanted:
            case "environment":
                self._reply(200, json.dumps(dict(os.environ)).encode())
            case "headers":
                self._reply(200, json.dumps({name.lower(): value for name, value in self.headers.items()}).encode())
            case "model":
                folder = Path(os.environ["SM_MODEL_DIR"])
                files = {
                    path.relative_to(folder).as_posix(): path.read_text()
                    for path in folder.rglob("*")
                    if path.is_file()
                }
                self._reply(200, json.dumps(files).encode())
            case "die":
                os._exit(3)
            case {"status": status}:
                self._reply(status, b"as asked")
            case {"sleep": seconds}:
                time.sleep(seconds)
                self._reply(200, b"slept")
            case {"burn": seconds}:
                end = time.process_time() + seconds
                while time.process_time() < end:
                    pass
                self._reply(200, b"burnt")
            case {"stream": parts, **rest}:
                self._stream(parts, breaks="breaks" in rest)
            case _:
                self._reply(200, os.environ.get("ANSWER", "").encode() + body)

    def _stream(self, parts: list[str], *, breaks: bool) -> None:
        self.send_response(200)
        self.send_header("Content-Type", "text/event-stream")
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        for part in parts:
            self.wfile.write(f"{len(part.encode()):x}\r\n{part}\r\n".encode())
            self.wfile.flush()
        if breaks:
            self.close_connection = True
        else:
            self.wfile.write(b"0\r\n\r\n")

    def _reply(self, status: int, content: bytes) -> None:
        self.send_response(status)
        self.send_header("Content-Type", "application/octet-stream")
        self.send_header("Content-Length", str(len(content)))
        self.send_header(
            "X-Amzn-SageMaker-Custom-Attributes", self.headers.get("X-Amzn-SageMaker-Custom-Attributes", "")
        )
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *_: object) -> None:
        pass


if __name__ == "__main__":
    ThreadingHTTPServer(("127.0.0.1", int(sys.argv[1])), Handler).serve_forever()
