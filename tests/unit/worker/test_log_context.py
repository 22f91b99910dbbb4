"""Log lines of activities say for which deployment and operation they were written."""

import pytest

from worker.tracing import ids_of


@pytest.mark.parametrize(
    ("workflow", "ids"),
    [
        ("deployment/digits/rollout-2", {"deployment": "digits", "operation": "digits/rollout-2"}),
        ("deployment/digits", {"deployment": "digits"}),
        ("somebody-else", {}),
        ("", {}),
    ],
)
def test_ids_are_read_from_the_workflow_that_asked(workflow: str, ids: dict[str, str]) -> None:
    assert ids_of(workflow, "run") == {"trace": "run", **ids}
