"""JSON values as YAML that reads well: block style, in the order given, texts quoted only where they must be."""

import io
from collections.abc import Iterable
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.nodes import ScalarNode
from ruamel.yaml.representer import SafeRepresenter

_TRUTHS_OF_YAML_1_1 = {"yes", "no", "on", "off", "y", "n"}
"""Texts to us (YAML 1.2), booleans to older readers: quoted, so that all read the same."""

_LINE_BREAKS = {"\x85", "\u2028", "\u2029"}


class _Representer(SafeRepresenter):
    def ignore_aliases(self, data: Any) -> bool:  # noqa: ARG002  the signature is ruamel's
        """A value used twice is written twice: anchors are for writers, not for readers."""
        return True


def _text(representer: SafeRepresenter, text: str) -> ScalarNode:
    style = None
    if text.lower() in _TRUTHS_OF_YAML_1_1:
        style = "'"
    elif not _LINE_BREAKS.isdisjoint(text):
        style = '"'  # escaped: ruamel.yaml folds them in its own choice of quotes and loses them
    return representer.represent_scalar("tag:yaml.org,2002:str", text, style=style)


_Representer.add_representer(str, _text)


def to_yaml(values: Iterable[Any]) -> str:
    """Write values of dict, list, str, int, float, bool and None, a document each."""
    yaml = YAML(typ="safe", pure=True)
    yaml.Representer = _Representer
    yaml.default_flow_style = False
    yaml.allow_unicode = True
    yaml.sort_base_mapping_type_on_output = False  # type: ignore[assignment]  # ruamel.yaml's own annotation is None
    yaml.width = 120
    stream = io.StringIO()
    yaml.dump_all(values, stream)
    return stream.getvalue()
