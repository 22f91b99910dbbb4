"""Which deployments' updates their target carries out by itself, and what it cannot do of a policy. Pure.

A target without an endpoint gives each deployment a classic one of its own. SageMaker alone updates those, so there
`rollout.delegate` goes without saying, and is written into what is accepted.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace

from longshore.api.judging import Given
from longshore.planning.servable import is_classic
from longshore.spec.documents import Deployment
from longshore.spec.target import TargetSpec


def with_implied(given: Sequence[Given], targets: Mapping[str, TargetSpec]) -> list[Given]:
    """The documents, with what goes without saying on their targets."""
    return [_with_implied(one, targets) for one in given]


def _with_implied(one: Given, targets: Mapping[str, TargetSpec]) -> Given:
    document = one.document
    if not isinstance(document, Deployment) or not is_classic(targets.get(document.spec.target)):
        return one
    rollout = document.spec.rollout.model_copy(update={"delegate": "sagemaker"})
    spec = document.spec.model_copy(update={"rollout": rollout})
    return replace(one, document=document.model_copy(update={"spec": spec}))
