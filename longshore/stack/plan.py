"""What a stack consists of and where its parts find each other, fixed before anything starts."""

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import longshore
from longshore.stack.places import Places
from longshore.stack.ports import LOOPBACK, Ports
from longshore.stack.postgres import EmbeddedPostgres

_PASSED_ON = (
    "PATH",
    "HOME",
    "USER",
    "LOGNAME",
    "LANG",
    "TZ",
    "TMPDIR",
    "LD_LIBRARY_PATH",
    "SSL_CERT_FILE",
    "SSL_CERT_DIR",
    "LONGSHORE_PRICES",
)
_PASSED_ON_PREFIXES = ("LC_", "CUDA_", "NVIDIA_")
EMULATOR_SPEED = "60"
"""An instance takes minutes to come at AWS: a visitor shall wait for seconds."""


@dataclass(frozen=True)
class Plan:
    """One stack: places, ports, and what stands in for a part of it."""

    places: Places
    ports: Ports
    postgres: EmbeddedPostgres | None
    """None: the database is somewhere else."""
    database_url: str
    temporal_address: str
    embedded_temporal: bool
    temporal_namespace: str
    temporal_ui_url: str | None
    emulated: bool = False
    """Whether an emulator stands in for AWS."""
    emulator_speed: str = EMULATOR_SPEED
    """Seconds that pass in it for each real one."""
    emulator_images: str | None = None
    """File that names the program to run for an image."""
    caller_aws: dict[str, str] = field(default_factory=dict, repr=False)
    """The `AWS_…` variables of whoever brings it up: secrets among them, so only their names are ever shown."""

    @classmethod
    def of(cls, places: Places, ports: Ports, environment: Mapping[str, str]) -> "Plan":
        """The plan of a home. `LONGSHORE_DATABASE_URL` and `TEMPORAL_ADDRESS` stand in for the embedded ones.

        `LONGSHORE_EMULATE=sagemaker` has the emulator stand in for AWS; `LONGSHORE_EMULATOR_SPEED` and
        `LONGSHORE_EMULATOR_IMAGES` are its options.

        Raises:
            StackError: the embedded Postgres has no place for its socket, or no account.
        """
        database_url = environment.get("LONGSHORE_DATABASE_URL")
        temporal_address = environment.get("TEMPORAL_ADDRESS")
        postgres = None if database_url else EmbeddedPostgres.of(places)
        ui_url = environment.get("LONGSHORE_TEMPORAL_UI_URL")
        return cls(
            places=places,
            ports=ports,
            postgres=postgres,
            database_url=database_url or (postgres.url if postgres else ""),
            temporal_address=temporal_address or f"{LOOPBACK}:{ports.temporal}",
            embedded_temporal=not temporal_address,
            temporal_namespace=environment.get("TEMPORAL_NAMESPACE") or "default",
            temporal_ui_url=ui_url if temporal_address else f"http://{LOOPBACK}:{ports.temporal_ui}",
            emulated=environment.get("LONGSHORE_EMULATE") == "sagemaker",
            emulator_speed=environment.get("LONGSHORE_EMULATOR_SPEED") or EMULATOR_SPEED,
            emulator_images=environment.get("LONGSHORE_EMULATOR_IMAGES"),
            caller_aws={name: value for name, value in environment.items() if name.startswith("AWS_")},
        )

    @property
    def version(self) -> str:
        """Longshore's version: a stack of another one is replaced."""
        return longshore.__version__

    @property
    def build_id(self) -> str:
        """The worker's build for Temporal's Worker Versioning."""
        return f"longshore-{self.version}"

    @property
    def api_url(self) -> str:
        """Where clients find the API and the web pages."""
        return f"http://{LOOPBACK}:{self.ports.api}"

    @property
    def gateway_url(self) -> str:
        """Where requests to models go."""
        return f"http://{LOOPBACK}:{self.ports.gateway}"

    @property
    def envoy_admin_url(self) -> str:
        """Envoy's admin interface."""
        return f"http://{LOOPBACK}:{self.ports.envoy_admin}"

    def addresses(self) -> dict[str, Any]:
        """The addresses as `run/stack.json` has them, with the keys that `longshore.settings` reads."""
        return {
            "databaseUrl": self.database_url,
            "temporalAddress": self.temporal_address,
            "temporalNamespace": self.temporal_namespace,
            "temporalUiUrl": self.temporal_ui_url,
            "apiUrl": self.api_url,
            "webUrl": self.api_url,
            "apiListen": f"{LOOPBACK}:{self.ports.api}",
            "discoveryListen": f"{LOOPBACK}:{self.ports.discovery}",
            "gatewayUrl": self.gateway_url,
            "envoyAdminUrl": self.envoy_admin_url,
            "agentSocket": str(self.places.agent_socket()),
            "portBase": self.ports.base,
            "emulate": "sagemaker" if self.emulated else None,
        }

    def aws(self) -> dict[str, str]:
        """The environment in which AWS is the emulator; empty where it is AWS itself."""
        if not self.emulated:
            return {}
        from longshore.emulator.data.credentials import ACCESS_KEY_ID, SECRET_ACCESS_KEY

        return {
            "AWS_ENDPOINT_URL": f"http://{LOOPBACK}:{self.ports.emulator}",
            "AWS_ENDPOINT_URL_SAGEMAKER_RUNTIME": f"http://{LOOPBACK}:{self.ports.emulator_runtime}",
            "AWS_ACCESS_KEY_ID": ACCESS_KEY_ID,
            "AWS_SECRET_ACCESS_KEY": SECRET_ACCESS_KEY,
            "AWS_DEFAULT_REGION": "us-east-1",
            "AWS_REGION": "us-east-1",
        }

    def way_to_aws(self) -> dict[str, str]:
        """What parts are told that call AWS or sign requests to it: of the emulator alone, or of AWS alone."""
        return self.aws() or self.caller_aws

    def environment(self) -> dict[str, str]:
        """What Longshore's own parts are told."""
        found = {
            "LONGSHORE_HOME": str(self.places.home),
            "LONGSHORE_DATABASE_URL": self.database_url,
            "TEMPORAL_ADDRESS": self.temporal_address,
            "TEMPORAL_NAMESPACE": self.temporal_namespace,
            "LONGSHORE_TEMPORAL_UI_URL": self.temporal_ui_url or "",
            "LONGSHORE_API_URL": self.api_url,
            "LONGSHORE_API_LISTEN": f"{LOOPBACK}:{self.ports.api}",
            "LONGSHORE_DISCOVERY_LISTEN": f"{LOOPBACK}:{self.ports.discovery}",
            "LONGSHORE_GATEWAY_URL": self.gateway_url,
            "LONGSHORE_AGENT_SOCKET": str(self.places.agent_socket()),
            "LONGSHORE_BUILD_ID": self.build_id,
        }
        return {name: value for name, value in found.items() if value}


def passed_on(environment: Mapping[str, str] = os.environ) -> dict[str, str]:
    """What parts inherit of the caller's environment: enough to find programs, certificates and GPUs.

    The rest stays out, for the stack outlives the shell it was started from, and a shell holds secrets of others.
    """
    return {
        name: value for name, value in environment.items() if name in _PASSED_ON or name.startswith(_PASSED_ON_PREFIXES)
    }
