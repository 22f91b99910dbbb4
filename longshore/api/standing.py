"""A deployment as people see it, from its rows, observed copies and acked traffic. Pure, for rehearsals as well."""

from collections import Counter
from datetime import datetime

from longshore.api.answers import DeploymentAnswer, RolloutTo
from longshore.planning.health import DeploymentFacts, standing
from longshore.planning.observed import CopyState
from longshore.planning.words import OperationKind, Phase
from longshore.store.records import View


def facts_of(view: View, now: datetime) -> DeploymentFacts:
    """What health and drift are judged by."""
    row, operation = view.row, view.operation
    # An operation says that it succeeded a moment before its deployment says what has come of it.
    succeeded = operation is not None and operation.phase is Phase.SUCCEEDED
    rollout_version = row.rollout_to["version"] if row.rollout_to else None
    return DeploymentFacts(
        name=row.name,
        target=row.target,
        copies=row.spec.copies,
        scaling=row.spec.scaling,
        version=rollout_version or row.version if succeeded else row.version,
        rollout_version=rollout_version,
        warm_version=row.warm.version if row.warm else None,
        retired=row.retired or (operation is not None and succeeded and operation.kind is OperationKind.RETIRE),
        kind=operation.kind if operation else None,
        phase=operation.phase if operation else None,
        reason=operation.reason if operation else None,
        message=operation.message if operation else None,
        observed=view.copies,
        differences=view.differences,
        observed_at=view.observed_at,
        trouble=view.trouble,
        traffic=view.traffic,
        no_place=view.no_place,
        now=now,
    )


def deployment_object(view: View, now: datetime, temporal_url: str | None) -> DeploymentAnswer:
    """The object of DESIGN section 7."""
    row = view.row
    found = standing(facts_of(view, now))
    return DeploymentAnswer(
        name=row.name,
        target=row.target,
        model=row.model,
        revision=row.revision,
        version=row.version,
        copies=dict(sorted(Counter(copy.version for copy in view.copies).items())),
        ready=dict(sorted(Counter(copy.version for copy in view.copies if copy.state is CopyState.READY).items())),
        traffic={version: share for version, share in sorted(view.traffic.items()) if share},
        rollout_to=RolloutTo.model_validate(row.rollout_to) if row.rollout_to else None,
        phase=view.operation.phase if view.operation else Phase.PENDING,
        health=found.health,
        drift=found.drift,
        reason=found.reason,
        message=found.message,
        temporal_url=temporal_url,
    )
