"""The whole emulator: the control plane with its data plane, in one process."""

from collections.abc import Mapping
from typing import Any, Self

from werkzeug.wrappers import Request, Response

from longshore.emulator.data.alarms import Alarms
from longshore.emulator.data.asking import is_call
from longshore.emulator.data.autoscaling import AutoScaling
from longshore.emulator.data.capacity import Capacity
from longshore.emulator.data.cloudwatch import Metrics
from longshore.emulator.data.hosting import WorldHosting
from longshore.emulator.data.images import Images, default_images
from longshore.emulator.data.metering import Meter
from longshore.emulator.data.plane import DataPlane
from longshore.emulator.data.rounds import Looking, Rounds
from longshore.emulator.data.series import Series
from longshore.emulator.protocol import Caller, JsonService
from longshore.emulator.server import DEFAULT_REGION, Emulator


class ServingEmulator(Emulator):
    """An emulator whose endpoints serve.

    ```python
    with ServingEmulator(images=Images(images={"echo": Program(command=["python", "echo.py", "$(PORT)"])})) as aws:
        runtime = boto3.client("sagemaker-runtime", endpoint_url=aws.runtime_url, region_name="us-east-1")
    ```

    Calls are taken on `url` like everything else, and on `runtime_url` several times faster.
    """

    def __init__(self, *, images: Images | None = None, runtime_port: int = 0, **options: Any) -> None:
        """Make one that does not listen yet.

        Args:
            images: which program runs for which image.
            runtime_port: for calls, on the loopback; 0 takes a free one.
            options: of `Emulator`.

        Raises:
            OSError: `runtime_port` is taken.
        """
        super().__init__(**options)
        self.series = Series()
        meter = Meter(self.series, self.clock)
        self.plane = DataPlane(self.world, meter, images or default_images(), runtime_port)
        self.world.plane = self.plane
        self.rooms.append(self._call)
        alarms = Alarms(self.series, self.clock)
        capacity = Capacity(self.world, self._carry_out)
        self.world.alarm_state = alarms.state
        metrics = Metrics(self.series, self.clock)
        self.services += [
            JsonService("cloudwatch", {**metrics.handlers(), **alarms.handlers()}, self.faults.guard),
            JsonService(
                "application-autoscaling", AutoScaling(self.clock, alarms, capacity).handlers(), self.faults.guard
            ),
        ]
        looking = Looking(WorldHosting(self.world), self.plane.copies, meter)
        self._rounds = Rounds(self.clock, looking, lambda: self._judge(alarms))

    @property
    def runtime_url(self) -> str:
        """What `AWS_ENDPOINT_URL_SAGEMAKER_RUNTIME` may be, for speed."""
        return self.plane.url

    def start(self) -> Self:
        """Listen.

        Raises:
            OSError: the port is taken.
        """
        super().start()
        self.plane.open(self.url)
        self._rounds.begin()
        return self

    def stop(self) -> None:
        """End every process, and listen no more."""
        self._rounds.end()
        super().stop()  # first, for the world must not ask for copies any more
        self.plane.close()

    def _judge(self, alarms: Alarms) -> None:
        if alarms.judge_all():
            self.world.touch()  # an update that watches an alarm goes on by it

    def _carry_out(self, operation: str, parameters: Mapping[str, Any]) -> Mapping[str, Any]:
        """One of SageMaker's operations, as Application Auto Scaling asks for it."""
        sagemaker = next(service for service in self.services if service.name == "sagemaker")
        return sagemaker.carry_out(operation, Caller(DEFAULT_REGION, ""), parameters)

    def _call(self, request: Request, _: Caller) -> Response | None:
        return self.plane.respond(request) if is_call(request.path) else None
