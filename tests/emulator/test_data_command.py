"""`longshore emulate sagemaker`: the process, what it tells, and that it leaves nothing behind however it ends."""

import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import boto3
import psutil
import pytest
from data_world import ECHO, INSTANCE, PATIENCE, ROLE, SERVER, until


class Running:
    """The command, and what it told to export."""

    def __init__(self, folder: Path) -> None:
        images = folder / "images.yaml"
        images.write_text(f'images:\n  "*/echo:*": {{command: [{sys.executable}, {SERVER}, "$(PORT)"]}}\n')
        self.log = folder / "log"
        self.temporary = folder / "tmp"
        self.temporary.mkdir()
        with self.log.open("wb") as log:
            self.process = subprocess.Popen(
                [
                    *(sys.executable, "-m", "longshore.cli", "emulate", "sagemaker", "--port", "0"),
                    *("--runtime-port", "0", "--speed", "600", "--images", str(images)),
                ],
                stdout=subprocess.PIPE,
                stderr=log,
                text=True,
                env={**os.environ, "TMPDIR": str(self.temporary)},
                start_new_session=True,
            )
        assert self.process.stdout is not None
        lines = [self.process.stdout.readline() for _ in range(5)]
        self.exports = dict(line.strip().removeprefix("export ").partition("=")[::2] for line in lines)

    def client(self, service: str) -> Any:
        runtime = service == "sagemaker-runtime"
        return boto3.client(
            service,
            endpoint_url=self.exports["AWS_ENDPOINT_URL_SAGEMAKER_RUNTIME" if runtime else "AWS_ENDPOINT_URL"],
            region_name=self.exports["AWS_DEFAULT_REGION"],
            aws_access_key_id=self.exports["AWS_ACCESS_KEY_ID"],
            aws_secret_access_key=self.exports["AWS_SECRET_ACCESS_KEY"],
        )

    def serve(self) -> None:
        """A model on an endpoint of its own, in service."""
        sagemaker = self.client("sagemaker")
        sagemaker.create_model(ModelName="echo", ExecutionRoleArn=ROLE, PrimaryContainer={"Image": ECHO})
        variant = {"VariantName": "main", "ModelName": "echo", "InstanceType": INSTANCE, "InitialInstanceCount": 1}
        sagemaker.create_endpoint_config(EndpointConfigName="echo", ProductionVariants=[variant])
        sagemaker.create_endpoint(EndpointName="echo", EndpointConfigName="echo")
        until(lambda: sagemaker.describe_endpoint(EndpointName="echo")["EndpointStatus"] == "InService")

    def children(self) -> list[psutil.Process]:
        return psutil.Process(self.process.pid).children(recursive=True)


@pytest.fixture
def running(tmp_path: Path) -> Iterator[Running]:
    made = Running(tmp_path)
    try:
        yield made
    finally:
        made.process.kill()
        made.process.wait(PATIENCE)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_it_serves_until_it_is_told_to_stop_and_leaves_nothing(running: Running, number: signal.Signals) -> None:
    running.serve()
    answer = running.client("sagemaker-runtime").invoke_endpoint(EndpointName="echo", Body=b"hello")
    assert answer["Body"].read() == b"hello"
    children = running.children()
    assert list(running.temporary.iterdir()) != []
    assert len(children) == 2  # the model's server, and who ends it should nobody else
    os.kill(running.process.pid, number)
    assert running.process.wait(PATIENCE) == (-9 if number == signal.SIGKILL else 0)
    until(lambda: not any(child.is_running() and child.status() != psutil.STATUS_ZOMBIE for child in children))
    until(lambda: not list(running.temporary.iterdir()))
    assert "Traceback" not in running.log.read_text()


def told(*arguments: str, code: str = "pass") -> tuple[int, str]:
    command = f"import sys; {code}; from longshore.cli.main import run; sys.exit(run(sys.argv[1:]))"
    done = subprocess.run(
        [sys.executable, "-c", command, "emulate", "sagemaker", *arguments],
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=False,
    )
    return done.returncode, done.stderr.strip()


def test_without_its_extra_one_line_says_what_to_install() -> None:
    code, line = told(code="sys.modules['moto'] = None")
    assert (code, line) == (1, "the emulator needs moto, which is not installed: install longshore[emulator]")


def test_what_cannot_be_is_told_in_a_line(tmp_path: Path) -> None:
    assert told("--speed", "0") == (2, "--speed 0: time passes at a speed above 0")
    assert told("--images", str(tmp_path / "away"))[0] == 2
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        for arguments in (("--runtime-port", f"{port}", "--port", "0"), ("--port", f"{port}", "--runtime-port", "0")):
            code, line = told(*arguments)
            assert code == 1
            assert line.startswith(f"port {port} cannot be taken")
            assert line.endswith(f"choose another with {arguments[0]}")
