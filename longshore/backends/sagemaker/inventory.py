"""What serves on the endpoint whoever made it, and taking it over as it is: see `longshore.backends.inventory`."""

import asyncio
from collections.abc import Mapping
from typing import Any

import structlog

from longshore.backends.inventory import Adoption, Found
from longshore.backends.notebook import Turn
from longshore.backends.port import BackendError
from longshore.backends.sagemaker import pages, specification
from longshore.backends.sagemaker.errors import AbsentError
from longshore.backends.sagemaker.found import UNSURE, Model, artifact_of, as_asked, cannot, obstacle, version_of
from longshore.backends.sagemaker.names import TAG, tags_of
from longshore.backends.sagemaker.pages import VersionPage
from longshore.backends.sagemaker.reading import Reader
from longshore.backends.sagemaker.seen import Component
from longshore.backends.sagemaker.site import Site
from longshore.backends.sagemaker.verifying import Verifier
from longshore.spec.model_version import ModelVersionSpec

Key = tuple[str, str]
"""(deployment, version)."""

INSTALLATION = f"{TAG}installation"

logger = structlog.get_logger(__name__)


class SharedInventory:
    """The inference components of everybody on one target's endpoint."""

    def __init__(self, site: Site, reader: Reader, verifier: Verifier) -> None:
        self._site = site
        self._reader = reader
        self._verifier = verifier

    async def components(self) -> tuple[Found, ...]:
        """Everything on the endpoint, and all that was noted and is gone, by name."""
        noted = await self._reader.noted()
        view = await self._reader.view(noted)
        known = {page.component: (key, page) for key, page in noted.versions.items()}
        strangers = [one for name, one in view.components.items() if name not in known]
        tags = await asyncio.gather(*(self._tags(one) for one in strangers))
        installation = await self._site.notebook.installation()
        theirs = [_stranger(one, told, installation) for one, told in zip(strangers, tags, strict=True)]
        ours = [
            _ours(key, page, view.components.get(name))
            for name, (key, page) in known.items()
            if page.made or name in view.components
        ]
        return tuple(sorted([*ours, *theirs], key=lambda one: one.component))

    async def examine(self, component: str, base: ModelVersionSpec | None) -> ModelVersionSpec:
        """The version that a component is, with its artifact's digest as S3 has it.

        Raises:
            BackendError: see `Inventory.examine`.
        """
        found = await self._look_at(component)
        if why := obstacle(found):
            raise cannot(component, why)
        model = await self._model(found)
        uri = artifact_of(found, model)
        digest = UNSURE if uri is None else await self._verifier.digest_of(component, uri)
        return version_of(found, model, digest, base)

    async def accept(self, adoption: Adoption) -> None:
        """Note a component as a version of a deployment, as it is; see `Inventory.accept`."""
        names = await self._site.names()
        async with self._site.notebook.turn(adoption.deployment, adoption.fence) as turn:
            known = pages.read(turn.pages)
            page = known.get(adoption.version) or known.get(adoption.before or "")
            found = await self._reader.look_at(adoption.component)
            if found is None:
                await self._note_gone(turn, adoption, page)
                return
            await self._check(adoption, page, found)
            told = {"deployment": adoption.deployment, "version": adoption.version}
            tags = names.tags(**told, operation=str(adoption.fence.operation))
            await self._site.aws.call("sagemaker", "AddTags", ResourceArn=found.arn, Tags=tags)
            await pages.write(turn, adoption.version, _page(adoption, found, page))
            await self._give_up(turn, adoption)
        logger.info("taken over", component=adoption.component, copies=adoption.copies, **told)

    async def _note_gone(self, turn: Turn, adoption: Adoption, page: VersionPage | None) -> None:
        if adoption.copies or page is None:
            message = f"there is no component {adoption.component} any more: look again"
            raise BackendError("NotFound", message, retryable=False)
        nothing = {"level": 0, "count": 0, "ours": (), "made": False, "had": 0, "placement": {}}
        await pages.write(turn, adoption.version, page.model_copy(update=nothing))
        await self._give_up(turn, adoption)

    async def _give_up(self, turn: Turn, adoption: Adoption) -> None:
        """Tear out the page that the component had, once it has the other one."""
        if adoption.before is not None and adoption.before != adoption.version:
            await turn.tear_out(adoption.before)

    async def _check(self, adoption: Adoption, page: VersionPage | None, found: Component) -> None:
        """It must be whose it was, and what it was, when it was looked at.

        Raises:
            BackendError: reason `TakenByAnother` or `ChangedMeanwhile`.
        """
        owner = (await self._tags(found)).get(INSTALLATION)
        if owner not in {None, await self._site.notebook.installation()}:
            message = f"{found.name} is of installation {owner}: remove its tags, if that is gone"
            raise BackendError("TakenByAnother", message, retryable=False)
        noted = await self._reader.noted()
        holder = next((name for (name, _), one in noted.versions.items() if one.component == found.name), None)
        if holder not in {None, adoption.deployment}:
            message = f"{found.name} is of {holder}: one component serves one deployment"
            raise BackendError("TakenByAnother", message, retryable=False)
        if not await self._is_as_looked_at(adoption, page, found):
            message = f"{found.name} was changed again since it was looked at: look again"
            raise BackendError("ChangedMeanwhile", message, retryable=False)

    async def _is_as_looked_at(self, adoption: Adoption, page: VersionPage | None, found: Component) -> bool:
        if found.desired != adoption.copies:
            return False
        if page is not None and adoption.before == adoption.version:
            return not specification.differences("", "", page.specification, found.specification)
        model = await self._model(found)
        return version_of(found, model, adoption.spec.artifact.digest, adoption.spec) == adoption.spec

    async def _look_at(self, component: str) -> Component:
        found = await self._reader.look_at(component)
        if found is None:
            raise BackendError("NotFound", f"there is no component {component}", retryable=False)
        return found

    async def _model(self, found: Component) -> Model | None:
        name = found.specification.get("ModelName")
        if name is None:
            return None
        try:
            return await self._site.aws.call("sagemaker", "DescribeModel", ModelName=name)
        except AbsentError:
            raise cannot(found.name, f"its model {name} was deleted") from None

    async def _tags(self, found: Component) -> Mapping[str, str]:
        answer: dict[str, Any] = await self._site.aws.call("sagemaker", "ListTags", ResourceArn=found.arn)
        return tags_of(answer.get("Tags", []))


def _page(adoption: Adoption, found: Component, before: VersionPage | None) -> VersionPage:
    """What is noted of it; what was noted before, as of its autoscaler, stays so."""
    need, copies = adoption.spec.resources, adoption.copies
    page = before or VersionPage(model=adoption.model, component=found.name, level=copies, count=copies)
    told = {
        "component": found.name,
        "level": copies,
        "count": copies,
        "placement": {},
        "accelerators": need.accelerators,
        "accelerator_memory_gib": need.accelerator_memory_gib,
        "specification": as_asked(found.specification),
        "ours": (copies,),
        "made": True,
        "had": found.current,
        "asked_at": None,
        "handed": None,
    }
    return page.model_copy(update=told)


def _ours(key: Key, page: VersionPage, found: Component | None) -> Found:
    deployment, version = key
    gone = found is None or found.status == "Deleting"
    changed = found is not None and specification.differences(*key, page.specification, found.specification)
    return Found(
        component=page.component,
        state="Deleted" if found is None else found.status,
        copies=0 if found is None else found.desired,
        ready=0 if found is None else found.current,
        ours=True,
        deployment=deployment,
        version=version,
        changed=bool(changed),
        gone=gone,
    )


def _stranger(found: Component, tags: Mapping[str, str], installation: str) -> Found:
    """What no page knows; our own tags on it are of something that was forgotten."""
    owner = tags.get(INSTALLATION)
    owner = None if owner == installation else owner
    taken = f"it is of another Longshore, installation {owner}: remove its tags, if that is gone" if owner else None
    return Found(
        component=found.name,
        state=found.status,
        copies=found.desired,
        ready=found.current,
        installation=owner,
        deployment=tags.get(f"{TAG}deployment"),
        version=tags.get(f"{TAG}version"),
        obstacle=taken or obstacle(found),
    )
