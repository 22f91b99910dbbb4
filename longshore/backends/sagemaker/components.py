"""Brings a version's inference component to a level: note it, ask SageMaker, note that it was accepted.

Whoever dies between two of these leaves a page that says what was meant, and the next attempt goes on from there.
"""

from typing import Any

import structlog

from longshore.backends.notebook import Turn
from longshore.backends.port import BackendError, CopiesLevel
from longshore.backends.sagemaker import pages, specification
from longshore.backends.sagemaker.endpoint import SharedEndpoint
from longshore.backends.sagemaker.errors import AbsentError, AwsError, TakenError
from longshore.backends.sagemaker.names import Names, tags_of
from longshore.backends.sagemaker.pages import DeploymentPage, Refusal, VersionPage
from longshore.backends.sagemaker.picture import BACK_OFF, Noted
from longshore.backends.sagemaker.reading import Reader
from longshore.backends.sagemaker.seen import Component, View
from longshore.backends.sagemaker.site import Site
from longshore.backends.sagemaker.steps import Call, Step, busy, needs_look, step, without_look
from longshore.planning.servable import ARCHIVE

logger = structlog.get_logger(__name__)

BECOMES = {Call.CREATE: "Creating", Call.COUNT: "Updating", Call.RESTORE: "Updating", Call.DELETE: "Deleting"}
"""The status of a component whose change SageMaker just accepted."""


class Components:
    """The inference components of one target."""

    def __init__(self, site: Site, reader: Reader, endpoint: SharedEndpoint) -> None:
        self._site = site
        self._reader = reader
        self._endpoint = endpoint

    async def ensure(self, level: CopiesLevel) -> None:
        """Bring one version to a level, as far as one change goes.

        Raises:
            BackendError: see `steps` and `errors`.
            FenceRefusedError: a later step came first.
        """
        names = await self._site.names()
        async with self._site.notebook.turn(level.deployment, level.fence) as turn:
            page = await self._page(turn, level, names)
            await self._make_way(turn, level.version, page)
            if not needs_look(level, page, self._reader.shown(page.component)):
                await _write(turn, level.version, page, without_look(level, page))
                return
            seen = await self._reader.look_at(page.component)
            await self._check_owner(level, page, seen, names)
            await self._note_refusal(turn, seen)
            wanted = step(level, page, seen, self._reader.clock())
            if wanted.call is Call.DELETE:
                await self._mind_adapters(page.component)
            await _write(turn, level.version, page, wanted.begun(self._reader.clock()))
            if wanted.call is Call.NONE:
                return
            await self._carry_out(level, wanted, seen, names)
            await pages.write(turn, level.version, wanted.done(self._reader.clock()))
            self._foresee(wanted, seen)
        if wanted.anew:
            raise busy(page.component, "Deleting")

    async def sweep(self, noted: Noted, view: View) -> None:
        """Forget the versions whose components are gone as we wanted it, and remove what was made for them."""
        for (deployment, version), page in noted.versions.items():
            if _is_over(page) and page.component not in view.components:
                await self._forget(deployment, version)

    async def _forget(self, deployment: str, version: str) -> None:
        async with self._site.notebook.turn(deployment, None) as turn:
            page = pages.read(turn.pages).get(version)
            if page is None or not _is_over(page):
                return
            await self._forget_in(turn, version, page)
            if set(turn.pages) == {pages.DEPLOYMENT}:
                await turn.tear_out(pages.DEPLOYMENT)
        logger.info("component gone", component=page.component, deployment=deployment, version=version)

    async def _forget_in(self, turn: Turn, version: str, page: VersionPage) -> None:
        model = page.specification.get("ModelName", "")
        if model.startswith((await self._site.names()).prefix):  # else it came with a component that was imported
            await self._quietly("DeleteModel", ModelName=model)
        await turn.tear_out(version)

    async def _page(self, turn: Turn, level: CopiesLevel, names: Names) -> VersionPage:
        if (known := pages.read(turn.pages).get(level.version)) is not None:
            return known
        specification.checked(level.model, level.version, level.spec)
        base = await self._base(level)
        need = level.spec.resources
        return VersionPage(
            model=level.model,
            component=names.component(level.deployment, "" if level.lasting else level.version),
            level=0,
            count=0,
            accelerators=0 if base else need.accelerators,
            accelerator_memory_gib=0 if base else need.accelerator_memory_gib,
            specification=specification.specification(names, level, base),
        )

    async def _make_way(self, turn: Turn, version: str, page: VersionPage) -> None:
        """Forget a version that is over and whose component had the same name, as those have that last."""
        for other, gone in pages.read(turn.pages).items():
            if other != version and gone.component == page.component and _is_over(gone):
                await self._forget_in(turn, other, gone)

    async def _base(self, level: CopiesLevel) -> str | None:
        """The component that an adapter is loaded into; None of a model of its own."""
        own = level.spec.sagemaker
        if own is None or own.adapter_of is None:
            return None
        base = own.adapter_of.deployment
        noted = await self._reader.noted()
        serving = [page for (name, _), page in noted.versions.items() if name == base and page.level and page.made]
        if not serving:
            message = (
                f"{level.model} {level.version} is an adapter of {base}, which serves nothing here: deploy it first"
            )
            raise BackendError("BaseMissing", message, retryable=True)
        return max(serving, key=lambda page: page.level).component

    async def _mind_adapters(self, component: str) -> None:
        """An adapter stays in the component that it was made in, which SageMaker does not delete from under it.

        Raises:
            BackendError: reason `AdaptersHangOnIt`, retryable: it goes as soon as they have gone.
        """
        noted = await self._reader.noted()  # an adapter's page stays until it was seen to be gone
        hanging = {
            (deployment, version)
            for (deployment, version), page in noted.versions.items()
            if page.specification.get("BaseInferenceComponentName") == component
        }
        if hanging:
            told = ", ".join(f"{deployment} {version}" for deployment, version in sorted(hanging))
            first = min(hanging)[0]
            message = (
                f"{component} is kept for the adapters that are loaded into it: {told}; apply a new version of each, "
                f"which is loaded into the base that serves now, or longshore delete {first}; it goes on by itself"
            )
            raise BackendError("AdaptersHangOnIt", message, retryable=True)

    async def _check_owner(self, level: CopiesLevel, page: VersionPage, seen: Component | None, names: Names) -> None:
        """A component that no page knows to be made may be ours of an attempt that was cut off, or a stranger's."""
        if seen is None or page.made or 0 in page.ours:
            return
        tags = tags_of((await self._site.aws.call("sagemaker", "ListTags", ResourceArn=seen.arn)).get("Tags", []))
        if not names.ours(tags, deployment=level.deployment, version=level.version):
            message = (
                f"there is an inference component {seen.name} that is not {level.deployment}'s: delete it, or give it "
                f"to us by its tags"
            )
            raise BackendError("NameTaken", message, retryable=False)

    async def _note_refusal(self, turn: Turn, seen: Component | None) -> None:
        if seen is None or not seen.lacks_capacity:
            return
        at, before = self._reader.clock(), pages.deployment_page(turn.pages)
        if before.refused is None or at >= before.refused.at + BACK_OFF:
            note = DeploymentPage(refused=Refusal(at=at, message=seen.failure or ""))
            await turn.write(pages.DEPLOYMENT, note.model_dump(mode="json"))

    async def _carry_out(self, level: CopiesLevel, wanted: Step, seen: Component | None, names: Names) -> None:
        try:
            await self._ask(level, wanted, names)
        except TakenError:
            raise busy(wanted.page.component, "being made") from None
        except AbsentError:
            if wanted.call is not Call.DELETE:
                raise
        except AwsError as error:
            # SageMaker says in many words that it is busy; its status says it in one.
            now = None if error.retryable else await self._reader.look_at(wanted.page.component)
            if now is not None and now.moving:
                raise busy(now.name, now.status) from None
            raise
        logger.info(
            "asked SageMaker",
            call=wanted.call.value,
            component=wanted.page.component,
            count=wanted.page.count,
            before=seen.desired if seen else None,
        )

    async def _ask(self, level: CopiesLevel, wanted: Step, names: Names) -> None:
        page, aws = wanted.page, self._site.aws
        name = {"InferenceComponentName": page.component}
        count = {"CopyCount": page.count}
        adapter = "BaseInferenceComponentName" in page.specification
        if wanted.call is Call.CREATE:
            await self._endpoint.ready()
            tags = names.tags(deployment=level.deployment, version=level.version, operation=str(level.fence.operation))
            await self.make_model(level, page, names, tags)
            request: dict[str, Any] = {**name, "EndpointName": self._site.spec.endpoint, "Tags": tags}
            if not adapter:  # which is where its base is, in as many copies
                request |= {"VariantName": self._site.spec.variant, "RuntimeConfig": count}
            await aws.call("sagemaker", "CreateInferenceComponent", **request, Specification=page.specification)
        elif wanted.call is Call.COUNT:
            await aws.call("sagemaker", "UpdateInferenceComponentRuntimeConfig", **name, DesiredRuntimeConfig=count)
        elif wanted.call is Call.RESTORE:
            request = {**name} if adapter else {**name, "RuntimeConfig": count}
            await aws.call("sagemaker", "UpdateInferenceComponent", **request, Specification=page.specification)
        else:
            await aws.call("sagemaker", "DeleteInferenceComponent", **name)

    async def make_model(self, level: CopiesLevel, page: VersionPage, names: Names, tags: list[dict[str, str]]) -> None:
        """Make the model object that a component of this page is of, if it is of one; once."""
        if "ModelName" not in page.specification:
            return
        role = self._site.spec.execution_role
        if role is None:
            message = (
                f"target {self._site.target}: {level.spec.artifact.uri} needs a model object, which SageMaker fetches "
                f"with a role: set sagemaker.executionRole, or pack the artifact as {ARCHIVE}"
            )
            raise BackendError("ExecutionRoleMissing", message, retryable=False)
        request = specification.model_object(names, level, role)
        await self._quietly("CreateModel", **request, Tags=tags)

    async def _quietly(self, operation: str, **request: Any) -> None:
        """Make a call that may have been made before: what is made is there, what is deleted is gone."""
        try:
            await self._site.aws.call("sagemaker", operation, **request)
        except (AbsentError, TakenError):
            logger.debug("made before", operation=operation)

    def _foresee(self, wanted: Step, seen: Component | None) -> None:
        """Let readings show what SageMaker will describe in a moment."""
        now, page = self._reader.clock(), wanted.page
        before = seen or Component(
            name=page.component, status="", desired=0, current=0, created_at=now, modified_at=now, seen_at=now
        )
        status = BECOMES[wanted.call]
        changed = {"status": status, "desired": page.count, "failure": None, "seen_at": now}
        self._reader.keep(page.component, before.model_copy(update=changed))


async def _write(turn: Turn, version: str, before: VersionPage, after: VersionPage) -> None:
    if after != before or version not in turn.pages:
        await pages.write(turn, version, after)


def _is_over(page: VersionPage) -> bool:
    return page.count == 0 and not page.made
