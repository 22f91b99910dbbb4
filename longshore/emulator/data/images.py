"""What runs for an image: there is no container engine here, so a registry names a program for each.

    images:
      "*longshore-serve:*": {command: [longshore-serve, serve]}
      "123456789012.dkr.ecr.eu-central-1.amazonaws.com/echo:1": {command: [python, /srv/echo.py, --port, $(PORT)]}

A command is a list of arguments and never sees a shell. `$(PORT)`, `$(HOST)` and `$(MODEL_DIR)` in them are the
copy's own. What a request says of a container reaches its program as environment variables only.
"""

import re
import shutil
import sysconfig
from collections.abc import Mapping
from fnmatch import fnmatchcase
from os import defpath, environ, pathsep
from pathlib import Path
from typing import Annotated

from pydantic import Field, ValidationError, model_validator
from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError

from longshore.spec.base import Spec

_REFERENCE = re.compile(r"\$\(([A-Z_]+)\)")


class ImagesError(Exception):
    """A registry that cannot be read, or a program that is not there; one line for a person."""


class Program(Spec):
    """What runs for an image."""

    command: Annotated[tuple[str, ...], Field(min_length=1)]

    def arguments(self, values: Mapping[str, str]) -> list[str]:
        """The command with its program's absolute path and every reference replaced.

        Raises:
            ImagesError: the program is not on this machine.
        """
        # Programs installed beside Longshore come first: `longshore-serve` is one, wherever this was started from.
        path = pathsep.join((sysconfig.get_path("scripts"), environ.get("PATH", defpath)))
        program = shutil.which(self.command[0], path=path)
        if program is None:
            raise ImagesError(f"{self.command[0]} is not a program on this machine: give its absolute path")
        expanded = (_REFERENCE.sub(lambda match: values.get(match[1], match[0]), part) for part in self.command[1:])
        return [program, *expanded]


class Images(Spec):
    """Which program runs for which image; in names `*` stands for anything, and the first that matches is taken."""

    images: dict[str, Program]

    @model_validator(mode="before")
    @classmethod
    def _with_our_own(cls, document: object) -> object:
        """Longshore's own server is in every registry, after what a person has written."""
        if isinstance(document, dict) and isinstance(document.get("images"), dict):
            return {**document, "images": {**document["images"], **_OWN}}
        return document

    def program_of(self, image: str | None) -> Program | None:
        """The program for an image; None if there is none, and the copy has no process."""
        if image is None:
            return None
        return next((program for name, program in self.images.items() if fnmatchcase(image, name)), None)


_OWN: dict[str, object] = {
    "longshore-serve": {"command": ["longshore-serve", "serve"]},
    "*longshore-serve:*": {"command": ["longshore-serve", "serve"]},
}


def default_images() -> Images:
    """The registry of whoever has written none: Longshore's own server."""
    return Images(images={})


def read_images(path: Path) -> Images:
    """A registry from a YAML or JSON file.

    Raises:
        ImagesError: it cannot be read, or is not a registry.
    """
    try:
        return Images.model_validate(YAML(typ="safe").load(path.read_text()))
    except OSError as error:
        raise ImagesError(f"{path} cannot be read: {error.strerror}") from None
    except YAMLError as error:
        raise ImagesError(f"{path} is not YAML: {' '.join(str(error).split())}") from None
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(str(part) for part in first["loc"]) or "the document"
        raise ImagesError(f"{path}: {place}: {first['msg']}") from None
