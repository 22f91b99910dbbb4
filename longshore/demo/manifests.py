"""The demo's manifests: written out from the package, so that a visitor can read them and apply them again."""

from importlib.resources import files
from pathlib import Path
from string import Template

from longshore.demo.classifiers import Classifier
from longshore.demo.places import COPIES, Place


class _Blank(Template):
    """Blanks are `@name`, for `$(…)` means something to servers."""

    delimiter = "@"


def write_target(place: Place, folder: Path) -> Path:
    """Write the target's manifest."""
    return _write(place, folder / "target.yaml", "target.yaml", target=place.target)


def write_version(place: Place, folder: Path, classifier: Classifier) -> Path:
    """Write a model version's manifest."""
    return _write(
        place,
        folder / f"version-{classifier.version}.yaml",
        "version.yaml",
        what=classifier.what,
        model=place.model,
        version=classifier.version,
        artifact=place.uri_of(classifier.artifact),
        digest=classifier.digest,
        accuracy=classifier.accuracy,
    )


def write_deployment(place: Place, folder: Path, version: str, golden: Path) -> Path:
    """Write the deployment's manifest, wanting a version."""
    return _write(
        place,
        folder / f"deployment-{version}.yaml",
        "deployment.yaml",
        deployment=place.deployment,
        target=place.target,
        model=place.model,
        version=version,
        copies=COPIES,
        golden=golden.as_uri(),
    )


def _write(place: Place, file: Path, template: str, **blanks: object) -> Path:
    text = files("longshore.demo").joinpath("templates", place.name, template).read_text()
    file.write_text(_Blank(text).substitute(blanks))
    return file
