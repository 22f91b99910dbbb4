"""The table of the emulator's behaviour: every rule has a source and a test, and the page shows it."""

import importlib.util
import re
from pathlib import Path

import pytest
from botocore.session import get_session

from longshore.emulator.rules import RULES, Rule

HERE = Path(__file__).parent
DOCS = HERE.parents[1] / "docs"
EVERY = [rule for rules in RULES.values() for rule in rules]
MODELS = [get_session().get_service_model(name) for name in ("sagemaker", "sagemaker-runtime")]


def known_tests() -> set[str]:
    found = (re.findall(r"^(?:async )?def (test_\w+)", path.read_text(), re.MULTILINE) for path in HERE.glob("*.py"))
    return {name for names in found for name in names}


def test_every_rule_has_its_test() -> None:
    assert {rule.test for rule in EVERY} <= known_tests()


@pytest.mark.parametrize("rule", EVERY, ids=lambda rule: rule.test)
def test_the_operations_and_shapes_that_a_rule_names_are_in_the_service_model(rule: Rule) -> None:
    for name in re.findall(r"`([A-Z]\w+)[`.]", rule.source):
        assert any(name in model.operation_names or name in model.shape_names for model in MODELS), name


def test_the_page_is_fresh() -> None:
    spec = importlib.util.spec_from_file_location("docs_emulator_page", DOCS / "emulator_page.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    assert (DOCS / "emulator.md").read_text() == module.page(), "run: python docs/emulator_page.py"
