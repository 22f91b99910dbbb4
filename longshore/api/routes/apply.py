"""Declarative change: documents in, what came of each out."""

from fastapi import APIRouter

from longshore.api.answers import ApplyAnswer
from longshore.api.applying import apply
from longshore.api.authorisation import Changer
from longshore.api.dependencies import Deps
from longshore.api.requests import ApplyBody, Key

router = APIRouter(prefix="/v1", tags=["apply"])


@router.post("/apply")
async def apply_documents(deps: Deps, caller: Changer, key: Key, body: ApplyBody) -> ApplyAnswer:
    """Bring everything to what the documents say.

    All documents are checked against each other and the store before anything changes. Then targets, model versions
    and deployments are applied, in that order. A deployment that is refused does not keep the others from it.
    """
    return await apply(deps, body, caller.name, key)
