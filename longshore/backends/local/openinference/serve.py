"""The process: arguments, HTTP, and an end that finishes the requests in flight."""

import argparse
import asyncio
import json
import os
import sys
from collections.abc import Awaitable, Callable, MutableMapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from longshore.backends.local.openinference.protocol import Service

_MOST_BODY_BYTES = 256 * 1024 * 1024
_CONTAINERS_MODEL = "/opt/ml/model"
"""Where SageMaker puts a model's data into a container."""
_KEEP_ALIVE_SECONDS = 2 * 60 * 60
"""Longer than a gateway keeps an idle connection (Envoy: 1 h): whoever closes first must not be the one without a
request to send, or that request is lost."""

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]


def main() -> None:
    """Load the model, serve it until SIGTERM, finish what is in flight."""
    options = _options()
    # Here and not above: `--help` and a wrong path are told at once, and the model's own imports are the long ones.
    from longshore.backends.local.openinference.models import ModelError, load, only_model
    from longshore.backends.local.openinference.protocol import Service

    try:
        model = load(options.model or only_model(options.folder), options.digest)
    except ModelError as error:
        sys.exit(f"longshore-serve: {error}")
    service = Service(model, options.name, options.version)

    import uvicorn

    config = uvicorn.Config(
        Application(service),
        host=options.host,
        port=options.port,
        lifespan="off",
        ws="none",
        access_log=False,
        log_level="warning",
        proxy_headers=False,
        server_header=False,
        timeout_keep_alive=_KEEP_ALIVE_SECONDS,
    )
    print(f"serving {options.name} {options.version} on http://{options.host}:{options.port}", flush=True)  # noqa: T201
    uvicorn.Server(config).run()


class Application:
    """The service as an ASGI application. Answers are made in threads, so that a long one delays no probe."""

    def __init__(self, service: "Service") -> None:
        self._service = service
        self._threads = ThreadPoolExecutor(max_workers=os.cpu_count(), thread_name_prefix="infer")

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        """Answer one request."""
        body = await _body(receive)
        if body is None:
            await _reply(send, scope, 413, {"error": f"a body has at most {_MOST_BODY_BYTES} bytes"})
            return
        loop = asyncio.get_running_loop()
        method, path = scope["method"], scope["path"]
        status, answer = await loop.run_in_executor(self._threads, self._service.answer, method, path, body)
        await _reply(send, scope, status, answer)


async def _body(receive: Receive) -> bytes | None:
    """The whole body; None if it is too large."""
    parts, size = [], 0
    while True:
        message = await receive()
        parts.append(message.get("body", b""))
        size += len(parts[-1])
        if size > _MOST_BODY_BYTES:
            return None
        if not message.get("more_body", False):
            return b"".join(parts)


async def _reply(send: Send, scope: Message, status: int, answer: dict[str, Any]) -> None:
    try:
        content = json.dumps(answer, separators=(",", ":"), allow_nan=False).encode()
    except ValueError:
        status, content = 500, b'{"error":"the model answered with a number that is not finite, which JSON lacks"}'
    headers = [(b"content-type", b"application/json"), (b"content-length", str(len(content)).encode())]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": b"" if scope["method"] == "HEAD" else content})


def _options() -> argparse.Namespace:
    environment = os.environ
    parser = argparse.ArgumentParser(
        prog="longshore-serve", description="Serve one scikit-learn or ONNX model by the Open Inference Protocol v2."
    )
    # SageMaker starts a container as `IMAGE serve`, so the word alone must do.
    parser.add_argument("mode", nargs="?", choices=["serve"], default="serve", help="all that there is")
    parser.add_argument("--model", type=Path, default=environment.get("MODEL_PATH"), help="the file; $MODEL_PATH")
    parser.add_argument(
        "--folder",
        type=Path,
        default=environment.get("SM_MODEL_DIR", _CONTAINERS_MODEL),
        help="where the only model lies, if no file is named; $SM_MODEL_DIR",
    )
    parser.add_argument("--name", default=environment.get("MODEL_NAME", "model"), help="the model's name; $MODEL_NAME")
    parser.add_argument("--version", default=environment.get("MODEL_VERSION", "1"), help="$MODEL_VERSION")
    parser.add_argument(
        "--digest",
        default=environment.get("LONGSHORE_MODEL_DIGEST"),
        help="sha256:… that the file must have; needed for pickles; $LONGSHORE_MODEL_DIGEST",
    )
    parser.add_argument(
        "--host", default=environment.get("HOST", "127.0.0.1"), help="where to listen, in a container 0.0.0.0; $HOST"
    )
    port = environment.get("SAGEMAKER_BIND_TO_PORT") or environment.get("PORT") or "8080"
    parser.add_argument("--port", type=int, default=port, help="$SAGEMAKER_BIND_TO_PORT, $PORT")
    return parser.parse_args()
