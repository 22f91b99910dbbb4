"""Declarative change: documents in, what came of each out."""

from fastapi import APIRouter

from longshore.api.answers import ApplyAnswer
from longshore.api.applying import apply, preview
from longshore.api.dependencies import Deps
from longshore.api.repeating import Asked, once
from longshore.api.requests import ApplyBody

router = APIRouter(prefix="/v1", tags=["apply"])


@router.post("/apply")
async def apply_documents(deps: Deps, asked: Asked, body: ApplyBody) -> ApplyAnswer:
    """Bring everything to what the documents say.

    All documents are checked against each other and the store before anything changes. Then targets, model versions,
    freezes and deployments are applied, in that order. A deployment that is refused does not keep the others from it.
    """
    if body.dry_run:
        return await preview(deps, body)
    return await once(deps, asked, ApplyAnswer, lambda: apply(deps, body, asked))
