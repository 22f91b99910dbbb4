"""Write docs/emulator.md from the emulator's rules, faults and durations: `python docs/emulator_page.py`.

A test fails when what is written here is not what is there.
"""

from pathlib import Path

from pydantic import BaseModel

from longshore.emulator.durations import Durations
from longshore.emulator.faults import Faults
from longshore.emulator.instances import TYPES
from longshore.emulator.rules import NOT_EMULATED, RULES

PAGE = Path(__file__).parent / "emulator.md"

HEAD = """\
# The SageMaker emulator

SageMaker's hosting on this machine: the real wire protocols for boto3 as it is, states over time, GPUs that can run
out, and real processes behind the copies, so traffic is real. It is what Longshore is developed, tested and shown
against; nobody needs an AWS account for it, and nothing here costs anything.

```console
$ pip install 'longshore[emulator]'
$ longshore emulate sagemaker --speed 10
```

prints the `export AWS_ENDPOINT_URL=…` lines that point boto3, the AWS command line and Longshore at it. Endpoints,
endpoint configurations, models, inference components, their tags, the runtime's calls, CloudWatch's metrics and alarms,
and scaling of components and variants are the emulator's own; everything else (S3, STS, ECR, EventBridge, the model
registry) is [moto](https://docs.getmoto.org/)'s, in the same server on the same port. It listens on the loopback only.

## Real processes behind the copies

There is no container engine here. A file names the program that runs for an image, `*` standing for anything:

```yaml
images:
  "*/echo:*": {command: [python, /srv/echo.py, --port, $(PORT)]}
```

```console
$ longshore emulate sagemaker --images images.yaml
```

A command is a list of arguments, and no shell sees it; `$(PORT)`, `$(HOST)` and `$(MODEL_DIR)` in it are the copy's
own. The program is asked as a container is: it listens on the port in `SAGEMAKER_BIND_TO_PORT` on 127.0.0.1, answers
`GET /ping` with 200 once it can serve, and gets `POST /invocations`. The model's data, out of the emulator's S3, lie in
the folder that `SM_MODEL_DIR` names; `CUDA_VISIBLE_DEVICES` are the accelerators that the copy was given. The
container's `Environment` is passed on, and nothing of the caller's own. What is started ends with the emulator, also
when that is killed.

`longshore-serve` is known already: images whose names end in `longshore-serve` and a tag serve a scikit-learn or ONNX
model by the Open Inference Protocol, its digest in `LONGSHORE_MODEL_DIGEST`. Copies of an image that nobody named are
in service by the clock alone; calls of them say so.

Calls are taken at `AWS_ENDPOINT_URL` like everything else, and several times faster at
`AWS_ENDPOINT_URL_SAGEMAKER_RUNTIME`.

## In a test

```python
clock = ManualClock()
with Emulator(clock=clock) as aws:
    sagemaker = boto3.client("sagemaker", endpoint_url=aws.url, region_name="us-east-1")
    sagemaker.create_endpoint(EndpointName="shared", EndpointConfigName="config")
    clock.advance(180)  # three minutes, at once
    aws.faults.set(capacity={"ml.g5.12xlarge": 1})  # and AWS has no second one
```

`ManualClock` stands still until it is advanced; `RealClock(speed=10)` passes ten emulated seconds in a real one.
Timeouts of containers are emulated time, too: where a real process needs 5 s to start, a speed of 60 makes that 5
minutes.
`longshore.emulator.data.serving.ServingEmulator` adds the processes, the runtime, the metrics and the scaling.

## How long things take

Emulated seconds, as data: `Emulator(durations=Durations(instance_launch=20))`. The defaults are of the
real service's order of magnitude.

"""

FAULTS = """\
## Faults to inject

`emulator.faults.set(…)` in a test; over HTTP `GET`, `PUT` (these and no others), `PATCH` (change some) and `DELETE`
(all is well) of `/_emulator/faults`, in JSON. Names may have `*` and `?`, as in a shell.

```console
$ curl -X PATCH $AWS_ENDPOINT_URL/_emulator/faults --json '{"capacity": {"ml.g5.12xlarge": 2}}'
```

`GET /_emulator/instances` lists the instances, and `DELETE /_emulator/instances/ID` has one fail: its copies are gone
at once, and AWS replaces it.

"""

RULES_HEAD = """\
## What it does, and where that is from

A source in backquotes is an operation or a shape of
[SageMaker's API reference](https://docs.aws.amazon.com/sagemaker/latest/APIReference/); botocore carries its text.
*Guide* is a page of the SageMaker AI Developer Guide. *Seen* is an answer of the service that people have published.
*Assumed* is what no document says, and somebody had to decide: rely on it with care, and tell us what you saw. Every
rule has a test of its own.

"""


def page() -> str:
    """docs/emulator.md."""
    parts = [HEAD, _fields(Durations, ("", "default", "seconds")), "\n", FAULTS, _fields(Faults, ("", "default", ""))]
    parts.append(
        "\n## Instances\n\nReal types, with what they have. Copies are placed by these figures.\n\n" + _instances()
    )
    parts.append(RULES_HEAD)
    for area, rules in RULES.items():
        parts.append(f"### {area}\n\n" + _table(("rule", "from"), [(rule.says, rule.source) for rule in rules]) + "\n")
    parts.append("## What it does not do\n\n" + "".join(f"- {each}\n" for each in NOT_EMULATED))
    return "".join(parts)


def _fields(model: type[BaseModel], head: tuple[str, ...]) -> str:
    rows = []
    for name, field in model.model_fields.items():
        default = "" if field.default in (None, [], {}, 0) else f"{field.default:g}"
        rows.append((f"`{name}`", default, " ".join((field.description or "").split())))
    return _table(head, rows)


def _instances() -> str:
    rows = []
    for name, room in TYPES.items():
        devices = f"{room.accelerators} x {room.accelerator}, {room.accelerator_gib:g} GiB" if room.accelerators else ""
        rows.append((f"`{name}`", str(room.vcpus), f"{room.memory_gib:g}", devices))
    return _table(("type", "vCPUs", "memory GiB", "accelerators"), rows) + "\n"


def _table(head: tuple[str, ...], rows: list[tuple[str, ...]]) -> str:
    lines = [head, tuple("---" for _ in head), *rows]
    return "".join("| " + " | ".join(cell.replace("|", "\\|") for cell in line) + " |\n" for line in lines)


if __name__ == "__main__":
    PAGE.write_text(page())
