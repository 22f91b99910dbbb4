"""See it first: documents in, what applying them would do out."""

from fastapi import APIRouter

from longshore.api.answers import PlansAnswer
from longshore.api.authorisation import Reader
from longshore.api.dependencies import Deps
from longshore.api.planning import plan
from longshore.api.requests import ApplyBody

router = APIRouter(prefix="/v1", tags=["apply"])


@router.post("/plan")
async def plan_documents(deps: Deps, key: Reader, body: ApplyBody) -> PlansAnswer:
    """Say what applying the documents would do to each deployment among them, and change nothing.

    The operation that would be started is played to its end by its own planner, on the target as it is now, with every
    check passing. Versions and targets among the documents count as registered.
    """
    return await plan(deps, body, key.name)
