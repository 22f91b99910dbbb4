"""The references are what the models and the commands say, and every command says something."""

import importlib.util
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

DOCS = Path(__file__).parents[2] / "docs"


def _load() -> ModuleType:
    spec = importlib.util.spec_from_file_location("docs_generate", DOCS / "generate.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


GENERATE = _load()
COMMANDS: dict[str, Any] = dict(GENERATE.commands())
VERBS = (
    "up down demo doctor apply plan diff rehearse delete validate schema get describe events ledger logs traffic "
    "scale adopt import open version"
)
GROUPS = {
    "rollout": "status watch history pause resume promote abort undo retry approve override",
    "keys": "create list revoke",
    "emulate": "sagemaker",
}


@pytest.mark.parametrize(("name", "write"), [("manifests.md", "manifests"), ("cli.md", "command_line")])
def test_the_reference_is_fresh(name: str, write: str) -> None:
    assert (DOCS / name).read_text() == getattr(GENERATE, write)(), "run: python docs/generate.py"


def test_every_verb_of_the_design_is_there_and_no_other() -> None:
    verbs = {f"longshore {verb}" for verb in VERBS.split()}
    verbs |= {f"longshore {group} {verb}" for group, verbs in GROUPS.items() for verb in verbs.split()}

    assert set(COMMANDS) == verbs


@pytest.mark.parametrize("path", COMMANDS)
def test_every_command_and_option_has_help_and_is_in_the_reference(path: str) -> None:
    command = COMMANDS[path]
    reference = (DOCS / "cli.md").read_text()
    section = reference.partition(f"\n## {path}\n")[2].partition("\n## ")[0]

    assert len(command.help) > 10
    assert " ".join(command.help.split()) in section
    for parameter in command.params:
        assert parameter.name == "help" or parameter.help, parameter.name
        names = parameter.opts if parameter.param_type_name == "option" else []
        assert all(f"`{name}`" in section for name in names if name not in {"--help", "-h"})
