"""A model version: one immutable, digest-pinned artifact and how it is served."""

from typing import Annotated, Any, Literal

from pydantic import Field

from longshore.spec.base import Spec
from longshore.spec.quantities import Name

Digest = Annotated[str, Field(pattern=r"^sha256:[0-9a-f]{64}$")]


class Artifact(Spec):
    """What is served: a file or folder, and the digest that pins it."""

    uri: str = Field(min_length=1, description="Where the artifact lies; `file://` on the local backend.")
    digest: Digest = Field(description="sha256 of the file; of a folder, of its sorted `digest  path` lines.")


class Request(Spec):
    """One request that a copy must answer."""

    path: str = Field(pattern=r"^/", description="Path at the copy, with query.")
    method: Literal["GET", "POST"] = "GET"
    body: Any | None = Field(default=None, description="Sent as JSON.")
    expect: Any | None = Field(default=None, description="Part of the JSON answer that must be equal.")


class Server(Spec):
    """How a copy is started and asked. The command is run without a shell.

    `$(PORT)`, `$(MODEL_PATH)`, `$(MODEL_NAME)` and `$(MODEL_VERSION)` in the command are replaced; the same names,
    and `CUDA_VISIBLE_DEVICES`, are set in the environment.
    """

    command: tuple[str, ...] = Field(min_length=1, description="Program and arguments; no shell.")
    port: Literal["auto"] | Annotated[int, Field(ge=1, le=65535)] = "auto"
    ready: str = Field(default="/v2/health/ready", pattern=r"^/", description="200 here means ready.")
    protocol: Literal["open-inference-v2", "openai", "http"] = "open-inference-v2"
    env: dict[str, str] = Field(default={}, description="Environment; no secrets here, they would be recorded.")
    secret_ref: Name | None = Field(
        default=None, description="Name of a secret whose keys become environment variables of the copy."
    )
    smoke: Request | None = Field(default=None, description="Asked of every first copy before it gets traffic.")


class Resources(Spec):
    """What one copy needs. Accelerators are whole and exclusive; their memory is a minimum."""

    accelerators: int = Field(default=0, ge=0, le=1024)
    accelerator_memory_gib: float = Field(default=0, ge=0, alias="acceleratorMemoryGiB")
    cpus: float | None = Field(default=None, gt=0)
    memory_gib: float | None = Field(default=None, gt=0, alias="memoryGiB")


class ModelVersionSpec(Spec):
    """An artifact, its server and its needs. Immutable once registered."""

    artifact: Artifact
    server: Server
    resources: Resources = Resources()
    evaluation: dict[str, float] = Field(default={}, description="Figures of the offline evaluation, for people.")
    side_by_side: bool = Field(default=True, description="false: may not serve beside another version.")
