"""Inference components over the wire: created, placed, scaled, deleted, by the rules of AWS's documents."""

import pytest
from emulated import Hosting, refused, specification


def test_a_component_is_creating_until_its_copies_serve(aws: Hosting) -> None:
    aws.endpoint()
    aws.component(wait=0, copies=2)
    assert aws.component_status("llm") == "Creating"
    assert aws.copies("llm") == 0
    aws.clock.advance(120)
    assert aws.component_status("llm") == "InService"
    assert aws.copies("llm") == 2
