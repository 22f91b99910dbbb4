"""Updates that SageMaker carries out itself, batch by batch, on the one component that a deployment has.

The component keeps its name, so whoever asks it directly goes on asking it. Only its page moves: from the version that
it was of to the one that it was seen to be of. SageMaker calls an update that it rolled back a success, so what a
component is of is read off its specification, never off its status.
"""

from datetime import datetime
from typing import Any

import structlog

from longshore.backends.notebook import Turn
from longshore.backends.port import BackendError, CopiesLevel, Handover
from longshore.backends.sagemaker import pages, specification
from longshore.backends.sagemaker.components import Components
from longshore.backends.sagemaker.errors import AbsentError, AwsError
from longshore.backends.sagemaker.names import Names
from longshore.backends.sagemaker.pages import Handed, VersionPage
from longshore.backends.sagemaker.reading import Reader
from longshore.backends.sagemaker.seen import Component
from longshore.backends.sagemaker.site import Site
from longshore.backends.sagemaker.steps import busy
from longshore.backends.sagemaker.trust import GRACE, differences
from longshore.planning import outside
from longshore.planning.fence import Fence
from longshore.planning.native import NativePolicy, NativeStatus, Portion

logger = structlog.get_logger(__name__)

Pages = dict[str, VersionPage]


class NativeComponentUpdates:
    """Hands updates of one target's components to SageMaker; see `NativeUpdates`."""

    def __init__(self, site: Site, reader: Reader, components: Components) -> None:
        self._site = site
        self._reader = reader
        self._components = components

    async def hand_over(self, update: Handover) -> None:
        """Have SageMaker begin an update of the deployment's component, once.

        Raises:
            BackendError: `NothingToUpdate` or what SageMaker refused, not retryable; `ComponentBusy`, retryable.
            FenceRefusedError: a later step came first.
        """
        names = await self._site.names()
        async with self._site.notebook.turn(update.deployment, update.fence) as turn:
            known = pages.read(turn.pages)
            key, page = update.before, known.get(update.before)
            if page is None and (own := known.get(update.version)) is not None:
                if own.updating is None:
                    return  # asked before, and seen to have come to its end
                key, page = update.version, own  # an update of before ended as neither version: back to the old one
            if page is None or not page.made:
                message = f"{update.deployment} has no component of version {update.before}: apply it without delegate"
                raise BackendError("NothingToUpdate", message, retryable=False)
            asked = page.handed if page.handed is not None and page.handed.fence == update.fence else None
            if asked is not None and (asked.accepted or asked.over):
                return
            seen = await self._component(page)
            if asked is not None and (seen.moving or seen.modified_at != asked.modified_before):
                await self._accept(turn, key, page, asked, seen)
                return
            if seen.moving:
                raise busy(seen.name, seen.status)
            if asked is None and page.updating is None:
                self._mind_others(update, page, seen)
            handed = self._handed(update, page, seen, names)
            noted = page.model_copy(update={"handed": handed, "had": seen.current, "ours": _counts(page, handed)})
            await pages.write(turn, key, noted)
            await self._ask(update, noted, handed, names)
            await self._accept(turn, key, noted, handed, seen)
        logger.info("handed an update to SageMaker", component=page.component, version=update.version)

    def _mind_others(self, update: Handover, page: VersionPage, seen: Component) -> None:
        """An update would overwrite what somebody else changed, and nobody said that it shall.

        Raises:
            BackendError: reason `ChangedOutside`, not retryable.
        """
        if changed := tuple(differences(update.deployment, update.before, page, seen, self._reader.clock())):
            message = f"{outside.told(changed)}, and was not overwritten: {outside.cures(update.deployment)}"
            raise BackendError(outside.CHANGED_OUTSIDE, message, retryable=False)

    async def follow(self, deployment: str, fence: Fence) -> NativeStatus:
        """See how the last update stands, and move the page of a component that came to its end.

        Raises:
            BackendError: AWS refused.
            FenceRefusedError: a later step came first.
        """
        async with self._site.notebook.turn(deployment, fence) as turn:
            known = {version: page for version, page in pages.read(turn.pages).items() if page.made}
            updating = next((version for version, page in known.items() if page.updating is not None), None)
            if updating is None:
                return await self._standing(known)
            page = known[updating]
            seen = await self._reader.look_at(page.component)
            if seen is None:
                words = "somebody deleted it"
                return NativeStatus(resource=page.component, under_way=False, broken=True, words=words)
            status = judged(updating, page, seen, self._reader.clock())
            if not status.under_way and not status.broken:
                await self._settle(turn, deployment, page, before=updating, status=status, seen=seen)
            return status

    # -- asking ----------------------------------------------------------------------------------------------------

    def _handed(self, update: Handover, page: VersionPage, seen: Component, names: Names) -> Handed:
        specification.checked(update.model, update.version, update.spec)
        base = page.specification.get("BaseInferenceComponentName")
        need = update.spec.resources
        return Handed(
            fence=update.fence,
            version=update.version,
            specification=specification.specification(names, update, base),
            accelerators=0 if base else need.accelerators,
            accelerator_memory_gib=0 if base else need.accelerator_memory_gib,
            copies=seen.desired if update.copies is None else update.copies,
            at=self._reader.clock(),
            modified_before=seen.modified_at,
        )

    async def _ask(self, update: Handover, page: VersionPage, handed: Handed, names: Names) -> None:
        told = {"deployment": update.deployment, "version": update.version}
        level = CopiesLevel(
            **told, model=update.model, copies=handed.copies, spec=update.spec, fence=update.fence
        )  # what a model object is made of
        tags = names.tags(**told, operation=str(update.fence.operation))
        await self._components.make_model(level, page.model_copy(update=_new(handed)), names, tags)
        request: dict[str, Any] = {
            "InferenceComponentName": page.component,
            "Specification": handed.specification,
            "RuntimeConfig": {"CopyCount": handed.copies},
            "DeploymentConfig": deployment_config(update.policy),
        }
        try:
            await self._site.aws.call("sagemaker", "UpdateInferenceComponent", **request)
        except AwsError as error:
            # The answer to a first attempt may have been lost: then it is under way, and SageMaker refuses another.
            now = None if error.retryable else await self._reader.look_at(page.component)
            if now is None or not now.moving:
                raise

    async def _accept(self, turn: Turn, version: str, page: VersionPage, handed: Handed, seen: Component) -> None:
        accepted = handed.model_copy(update={"accepted": True})
        await pages.write(turn, version, page.model_copy(update={"handed": accepted}))
        self._reader.keep(seen.name, seen.model_copy(update={"status": "Updating", "failure": None}))

    async def _component(self, page: VersionPage) -> Component:
        seen = await self._reader.look_at(page.component)
        if seen is None:
            message = f"there is no component {page.component} any more: somebody deleted it"
            raise BackendError("NothingToUpdate", message, retryable=False)
        return seen

    # -- following -------------------------------------------------------------------------------------------------

    async def _standing(self, known: Pages) -> NativeStatus:
        """Where no update is pending: what the deployment's component is of."""
        version = max(known, key=lambda one: known[one].count, default=None)
        if version is None:
            return NativeStatus(resource="(none)", under_way=False, words="there is no component")
        page = known[version]
        seen = await self._reader.look_at(page.component)
        if seen is None:
            words = "somebody deleted it"
            return NativeStatus(resource=page.component, under_way=False, broken=True, words=words)
        status = _status(seen, version if _is_of(page.specification, seen) else None)
        return status.model_copy(update={"words": seen.failure or (page.handed and page.handed.words)})

    async def _settle(  # noqa: PLR0913 - one end has so many sides
        self, turn: Turn, deployment: str, page: VersionPage, *, before: str, status: NativeStatus, seen: Component
    ) -> None:
        """Note what came of the update; the model object that nobody serves any more goes."""
        handed = page.updating
        if handed is None or status.version is None:
            return
        if status.version == before:
            over = handed.model_copy(update={"over": True, "words": status.words})
            kept = {"handed": over, "ours": (seen.desired,), "count": seen.desired, "level": seen.desired}
            await pages.write(turn, before, page.model_copy(update=kept))
            await self._forget_model(handed.specification, page.specification)
            return
        names = await self._site.names()
        tags = names.tags(deployment=deployment, version=handed.version, operation=str(handed.fence.operation))
        await self._site.aws.call("sagemaker", "AddTags", ResourceArn=seen.arn, Tags=tags)
        await pages.write(turn, handed.version, page.model_copy(update=_new(handed)))
        await turn.tear_out(before)
        await self._forget_model(page.specification, handed.specification)

    async def _forget_model(self, left: dict[str, Any], kept: dict[str, Any]) -> None:
        model = left.get("ModelName", "")
        ours = model.startswith((await self._site.names()).prefix)
        if ours and model != kept.get("ModelName"):
            try:
                await self._site.aws.call("sagemaker", "DeleteModel", ModelName=model)
            except AbsentError:
                logger.debug("deleted before", model=model)


def judged(before: str, page: VersionPage, seen: Component, now: datetime) -> NativeStatus:
    """How an update stands, by the component as described. Pure.

    A description of before the update was asked may come for a while after: it says nothing about its end.
    """
    handed = page.updating
    if handed is None:
        raise AssertionError("an update is pending")
    yesterdays = seen.modified_at == handed.modified_before and now < handed.at + GRACE
    if seen.moving or yesterdays:
        return _status(seen, None).model_copy(update={"under_way": True})
    if seen.status == "Failed":
        return _status(seen, None).model_copy(update={"broken": True})
    if _is_of(handed.specification, seen):
        return _status(seen, handed.version)
    return _status(seen, before if _is_of(page.specification, seen) else None)


def deployment_config(policy: NativePolicy) -> dict[str, Any]:
    """The DeploymentConfig of UpdateInferenceComponent. Pure."""
    rolling = {
        "MaximumBatchSize": _size(policy.batch),
        "WaitIntervalInSeconds": policy.wait_s,
        "MaximumExecutionTimeoutInSeconds": policy.limit_s,
        "RollbackMaximumBatchSize": _size(policy.rollback_batch),
    }
    alarms = [{"AlarmName": name} for name in policy.alarms]
    watched = {"AutoRollbackConfiguration": {"Alarms": alarms}} if alarms else {}
    return {"RollingUpdatePolicy": rolling, **watched}


def _size(portion: Portion) -> dict[str, Any]:
    if portion.copies is not None:
        return {"Type": "COPY_COUNT", "Value": portion.copies}
    return {"Type": "CAPACITY_PERCENT", "Value": round(portion.percent or 0)}


def _status(seen: Component, version: str | None) -> NativeStatus:
    return NativeStatus(
        resource=seen.name,
        under_way=seen.moving,
        version=version,
        copies=seen.desired,
        ready=0 if seen.moving else seen.current,
        words=seen.failure,
    )


def _is_of(wanted: dict[str, Any], seen: Component) -> bool:
    return not specification.differences("", "", wanted, seen.specification)


def _counts(page: VersionPage, handed: Handed) -> tuple[int, ...]:
    """The CopyCounts that are ours while SageMaker may have begun."""
    return tuple(dict.fromkeys((page.count, handed.copies)))


def _new(handed: Handed) -> dict[str, Any]:
    """What a page says of the component once it is of the version that was asked for."""
    return {
        "level": handed.copies,
        "count": handed.copies,
        "ours": (handed.copies,),
        "had": handed.copies,
        "placement": {},
        "specification": handed.specification,
        "accelerators": handed.accelerators,
        "accelerator_memory_gib": handed.accelerator_memory_gib,
        "handed": None,
    }
