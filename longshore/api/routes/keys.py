"""API keys: made, listed and revoked by admins. A key itself is shown once, when it is made."""

from http import HTTPStatus
from typing import Annotated

from fastapi import APIRouter, Path, Response

from longshore.api.answers import ChangeAnswer, KeyAnswer, MadeKeyAnswer, Page
from longshore.api.authorisation import KeyManager
from longshore.api.dependencies import Dependencies, Deps
from longshore.api.problems import conflict, not_found
from longshore.api.requests import KeyBody, Part, page_of
from longshore.store.records import ApiKey

router = APIRouter(prefix="/v1/keys", tags=["keys"])


@router.post("", status_code=HTTPStatus.CREATED)
async def create_key(deps: Deps, _: KeyManager, body: KeyBody, response: Response) -> MadeKeyAnswer:
    """Make a key. Its answer is not kept, so the same request again is refused: the name is taken by then."""
    if any(key.name == body.name for key in await _valid(deps)):
        raise conflict(f"there is a key {body.name!r} already: revoke it first, or use another name")
    key, plaintext = await deps.store.keys.create(body.name, body.roles)
    response.headers["Cache-Control"] = "no-store"
    return MadeKeyAnswer(**key.model_dump(), key=plaintext)


@router.get("")
async def list_keys(deps: Deps, _: KeyManager, part: Part) -> Page[KeyAnswer]:
    """All keys, revoked ones too, oldest first; never the keys themselves."""
    return page_of(
        await deps.store.keys.list(),
        lambda key: f"{key.created_at.isoformat()} {key.id}",
        lambda key: KeyAnswer.model_validate(key.model_dump()),
        part,
    )


@router.delete("/{key}")
async def revoke_key(
    deps: Deps, _: KeyManager, key: Annotated[str, Path(description="Its id, or its name.", max_length=100)]
) -> ChangeAnswer:
    """Let a key no longer pass. One that was revoked already is no change."""
    found = [one for one in await deps.store.keys.list() if key in {one.id, one.name}]
    if not found:
        raise not_found("key", key)
    valid = [one for one in found if one.revoked_at is None]
    if len(valid) > 1:
        raise conflict(f"{len(valid)} keys are named {key!r}: give the id of one, {', '.join(one.id for one in valid)}")
    if not valid:
        return ChangeAnswer(changed=False, message=f"key {key} is revoked already")
    admins = {one.id for one in await _valid(deps) if "admin" in one.roles}
    if admins == {valid[0].id}:
        raise conflict(f"{key} is the last key of an admin, and nobody could make another: make one first")
    changed = await deps.store.keys.revoke(valid[0].id)
    return ChangeAnswer(changed=changed, message=f"key {key} is revoked")


async def _valid(deps: Dependencies) -> list[ApiKey]:
    return [key for key in await deps.store.keys.list() if key.revoked_at is None]
