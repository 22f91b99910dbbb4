"""A model version: one immutable, digest-pinned artifact and how it is served."""

from typing import Annotated, Any, Literal, Self

from pydantic import Field, model_validator

from longshore.spec.base import Spec
from longshore.spec.quantities import Name
from longshore.spec.sagemaker import SageMakerServing

DIGEST = r"^sha256:[0-9a-f]{64}$"
ABSOLUTE_PATH = r"^/"
IMAGE = r"^\S+$"

Digest = Annotated[str, Field(pattern=DIGEST)]


class Artifact(Spec):
    """What is served: a file or folder, and the digest that pins it."""

    uri: str = Field(
        min_length=1, description="Where the artifact lies: `file://` on the local backend, `s3://` on SageMaker."
    )
    digest: Digest = Field(description="sha256 of the file; of a folder, of its sorted `digest  path` lines.")


class Request(Spec):
    """One request that a copy must answer."""

    path: str = Field(pattern=ABSOLUTE_PATH, description="Path at the copy, with query.")
    method: Literal["GET", "POST"] = Field(default="GET", description="HTTP method.")
    body: Any | None = Field(default=None, description="Sent as JSON.")
    expect: Any | None = Field(default=None, description="Part of the JSON answer that must be equal.")


class Server(Spec):
    """How a copy is started and asked. The command is run without a shell.

    `$(PORT)`, `$(MODEL_PATH)`, `$(MODEL_NAME)` and `$(MODEL_VERSION)` in the command are replaced; the same names,
    and `CUDA_VISIBLE_DEVICES`, are set in the environment.
    """

    command: tuple[str, ...] = Field(
        default=(),
        description="Local backend: program and arguments, without a shell. `$(PORT)`, `$(MODEL_PATH)`, "
        "`$(MODEL_NAME)` and `$(MODEL_VERSION)` are replaced.",
    )
    image: Annotated[str, Field(pattern=IMAGE, max_length=255)] | None = Field(
        default=None, description="SageMaker: the container image, best pinned by its digest: `…@sha256:…`."
    )
    port: Literal["auto"] | Annotated[int, Field(ge=1, le=65535)] = Field(
        default="auto", description="Port it listens on; auto: a free one for each copy, `$(PORT)`."
    )
    ready: str = Field(default="/v2/health/ready", pattern=ABSOLUTE_PATH, description="200 here means ready.")
    protocol: Literal["open-inference-v2", "openai", "http"] = Field(
        default="open-inference-v2", description="What its clients speak."
    )
    env: dict[str, str] = Field(default={}, description="Environment; no secrets here, they would be recorded.")
    secret_ref: Name | None = Field(
        default=None, description="Name of a secret whose keys become environment variables of the copy."
    )
    smoke: Request | None = Field(default=None, description="Asked of every first copy before it gets traffic.")

    @model_validator(mode="after")
    def _can_be_started(self) -> Self:
        if not self.command and self.image is None:
            raise ValueError("a server needs a command (local backend) or an image (SageMaker): give one, or both")
        return self


class Resources(Spec):
    """What one copy needs. Accelerators are whole and exclusive; their memory is a minimum."""

    accelerators: int = Field(default=0, ge=0, le=1024, description="GPUs.")
    accelerator_memory_gib: float = Field(
        default=0, ge=0, alias="acceleratorMemoryGiB", description="Least memory of each GPU, in GiB."
    )
    cpus: float | None = Field(default=None, gt=0, description="CPU cores.")
    memory_gib: float | None = Field(default=None, gt=0, alias="memoryGiB", description="Memory of the host, in GiB.")


class ModelVersionSpec(Spec):
    """An artifact, its server and its needs. Immutable once registered."""

    artifact: Artifact = Field(description="What is served.")
    server: Server = Field(description="How a copy is started and asked.")
    resources: Resources = Field(default=Resources(), description="What one copy needs.")
    evaluation: dict[str, float] = Field(default={}, description="Figures of the offline evaluation, for people.")
    side_by_side: bool = Field(default=True, description="false: may not serve beside another version.")
    sagemaker: SageMakerServing | None = Field(default=None, description="What only SageMaker needs to know.")
