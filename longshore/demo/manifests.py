"""The demo's manifests: written out from the package, so that a visitor can read them and apply them again."""

from importlib.resources import files
from pathlib import Path
from string import Template

from longshore.demo.classifiers import Classifier

TARGET = "demo"
MODEL = "digits"
DEPLOYMENT = "digits"
COPIES = 4
ACCELERATORS = 6


class _Blank(Template):
    """Blanks are `@name`, for `$(…)` means something to servers."""

    delimiter = "@"


def write_target(folder: Path) -> Path:
    """Write the target's manifest."""
    return _write(folder / "target.yaml", "target.yaml", target=TARGET, accelerators=ACCELERATORS)


def write_version(folder: Path, classifier: Classifier) -> Path:
    """Write a model version's manifest."""
    return _write(
        folder / f"version-{classifier.version}.yaml",
        "version.yaml",
        what=classifier.what,
        model=MODEL,
        version=classifier.version,
        artifact=classifier.artifact.as_uri(),
        digest=classifier.digest,
        accuracy=classifier.accuracy,
    )


def write_deployment(folder: Path, version: str, golden: Path) -> Path:
    """Write the deployment's manifest, wanting a version."""
    return _write(
        folder / f"deployment-{version}.yaml",
        "deployment.yaml",
        deployment=DEPLOYMENT,
        target=TARGET,
        model=MODEL,
        version=version,
        copies=COPIES,
        golden=golden.as_uri(),
    )


def _write(file: Path, template: str, **blanks: object) -> Path:
    text = files("longshore.demo").joinpath("templates", template).read_text()
    file.write_text(_Blank(text).substitute(blanks))
    return file
