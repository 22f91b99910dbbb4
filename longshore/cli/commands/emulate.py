"""Emulators: what stands in for a cloud on this machine, to try and test against."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from longshore.cli.exits import REACHED, USAGE, Stop, say

if TYPE_CHECKING:
    from longshore.emulator.data.serving import ServingEmulator

app = typer.Typer(help="Stand-ins for clouds, to try and test against.", no_args_is_help=True)

PORT = 8490
RUNTIME_PORT = 8491


@app.command("sagemaker")
def sagemaker(
    port: Annotated[int, typer.Option(help="Where every AWS API is; 0 takes a free one.")] = PORT,
    runtime_port: Annotated[
        int,
        typer.Option("--runtime-port", help="Where models are invoked, faster than on the other; 0 takes a free one."),
    ] = RUNTIME_PORT,
    speed: Annotated[float, typer.Option(help="Seconds that pass in it for each real one.")] = 1.0,
    images: Annotated[
        Path | None, typer.Option(help="A file that names the program to run for an image.", dir_okay=False)
    ] = None,
) -> int:
    """Run a SageMaker on this machine until Ctrl-C: endpoints, inference components, real processes behind copies.

    Writes the lines that point boto3, the AWS command line and Longshore at it. Needs the extra `emulator`.
    """
    emulator = _emulator(port, runtime_port, speed, images)
    try:
        emulator.start()
    except OSError as error:
        raise Stop(f"port {port} cannot be taken ({error.strerror}): choose another with --port") from error
    try:
        for line in _exports(emulator):
            typer.echo(line)
        say("SageMaker is emulated here until Ctrl-C; what is in it then is gone")
        _until_told()
    finally:
        emulator.stop()
    return REACHED


def _emulator(port: int, runtime_port: int, speed: float, images: Path | None) -> "ServingEmulator":
    from longshore.logs import configure_logs

    try:
        from longshore.emulator.clock import RealClock
        from longshore.emulator.data.images import ImagesError, default_images, read_images
        from longshore.emulator.data.serving import ServingEmulator
    except ModuleNotFoundError as error:
        missing = str(error.name).partition(".")[0]
        raise Stop(f"the emulator needs {missing}, which is not installed: install longshore[emulator]") from error
    if speed <= 0:
        raise Stop(f"--speed {speed:g}: time passes at a speed above 0", USAGE)
    configure_logs("emulator")
    try:
        registry = default_images() if images is None else read_images(images)
        return ServingEmulator(images=registry, clock=RealClock(speed), port=port, runtime_port=runtime_port)
    except ImagesError as error:
        raise Stop(str(error), USAGE) from error
    except OSError as error:
        raise Stop(
            f"port {runtime_port} cannot be taken ({error.strerror}): choose another with --runtime-port"
        ) from error


def _exports(emulator: "ServingEmulator") -> list[str]:
    from longshore.emulator.data.credentials import OWN
    from longshore.emulator.server import DEFAULT_REGION

    values = {
        "AWS_ENDPOINT_URL": emulator.url,
        "AWS_ENDPOINT_URL_SAGEMAKER_RUNTIME": emulator.runtime_url,
        "AWS_ACCESS_KEY_ID": OWN.access_key,
        "AWS_SECRET_ACCESS_KEY": OWN.secret_key,
        "AWS_DEFAULT_REGION": DEFAULT_REGION,
    }
    return [f"export {name}={value}" for name, value in values.items()]


def _until_told() -> None:
    """Wait for SIGINT or SIGTERM."""
    import signal
    import threading

    told = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: told.set())
    told.wait()
