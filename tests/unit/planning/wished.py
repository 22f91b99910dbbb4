"""What may be asked of a deployment in a played life, and what its planner makes of it."""

from collections.abc import Mapping
from typing import Any, NamedTuple

from played import Behaviour

from longshore.planning.deployment import decisions as planner
from longshore.planning.deployment.revisions import Accepted, DeploymentState
from longshore.planning.operation import VersionFacts
from longshore.planning.requests import ApplyRequest, ControlRequest, Refusal, ScaleRequest, UndoRequest
from longshore.spec.deployment import DeploymentSpec


class Wish(NamedTuple):
    """What somebody asks, so many seconds after the beginning."""

    at: float
    verb: str
    """A verb of the timeline; `warm` asks for the room of warm copies."""
    changes: dict[str, Any] = {}
    """apply: fields of the newest desired state to replace. scale: copies."""
    option: Any = None
    """promote: full. undo: the revision."""


class Change(NamedTuple):
    """From so many seconds on copies of a version behave otherwise."""

    at: float
    version: str
    behaviour: Behaviour


def decided(state: DeploymentState, wish: Wish, versions: Mapping[str, VersionFacts]) -> Accepted | Refusal:
    """What the deployment makes of a wish that may start an operation."""
    asked = {"actor": "ada", "key": f"{wish}"}
    match wish.verb:
        case "apply":
            spec = _desired(state, wish.changes)
            facts = versions[spec.version]
            return planner.decide_apply(state, ApplyRequest(**asked, name="digits", spec=spec, facts=facts))
        case "scale":
            return planner.decide_scale(state, ScaleRequest(**asked, copies=wish.changes["copies"]))
        case "undo":
            return planner.decide_undo(state, UndoRequest(**asked, to=wish.option))
        case "retry":
            return planner.decide_retry(state, ControlRequest(**asked))
        case "abort":
            return planner.decide_abort(state, ControlRequest(**asked))
    return planner.decide_retire(state, ControlRequest(**asked))


def _desired(state: DeploymentState, changes: Mapping[str, Any]) -> DeploymentSpec:
    """The newest desired state, with what is asked for in its place."""
    under_way = [one for one in state.revisions if not one.phase.ended]
    newest = max(under_way, key=lambda one: one.number, default=None)
    assert state.spec
    spec = newest.spec if newest and not state.retired else state.spec
    return DeploymentSpec.model_validate({**spec.model_dump(mode="json", by_alias=True), **changes})
