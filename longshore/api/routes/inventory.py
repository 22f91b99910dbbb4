"""What serves on a target whoever made it, and taking it over as it is."""

from typing import Annotated, Any

from fastapi import APIRouter, Path, status

from longshore.api.adopting import adopt, component_named, components_of, take_in, version_of
from longshore.api.answers import ChangeAnswer, ComponentAnswer, ManifestsAnswer, Page
from longshore.api.authorisation import Reader
from longshore.api.dependencies import Deps
from longshore.api.repeating import Asked, once
from longshore.api.requests import AdoptBody, ImportBody, Part, page_of
from longshore.spec.deployment import DeploymentSpec
from longshore.spec.documents import API_VERSION
from longshore.spec.quantities import Name, Version

router = APIRouter(prefix="/v1", tags=["inventory"])

Component = Annotated[str, Path(min_length=1, max_length=253, description="The platform's name of it.")]
ACCEPTED: dict[str, Any] = {"status_code": status.HTTP_202_ACCEPTED}


@router.get("/targets/{target}/components")
async def list_components(deps: Deps, _: Reader, target: Name, part: Part) -> Page[ComponentAnswer]:
    """Everything that serves on a target, as its platform says now, by name."""
    found = await components_of(deps, target)
    return page_of(found, lambda one: one.component, lambda one: ComponentAnswer.model_validate(one.model_dump()), part)


@router.get("/targets/{target}/components/{component}/manifests")
async def component_manifests(
    deps: Deps,
    _: Reader,
    target: Name,
    component: Component,
    deployment: Name = "imported",
    model: Name = "imported",
    version: Version = "1",
) -> ManifestsAnswer:
    """The documents that say what a component is: a model version, and the deployment that it would be."""
    found = component_named(component, target, await components_of(deps, target))
    spec = await version_of(deps, target, found, None)
    desired = DeploymentSpec(target=target, model=model, version=version, copies=found.copies)
    documents = (
        {
            "apiVersion": API_VERSION,
            "kind": "ModelVersion",
            "metadata": {"model": model, "version": version},
            "spec": spec.model_dump(mode="json", exclude_defaults=True),
        },
        {
            "apiVersion": API_VERSION,
            "kind": "Deployment",
            "metadata": {"name": deployment},
            "spec": desired.model_dump(mode="json", exclude_defaults=True) | {"copies": found.copies},
        },
    )
    return ManifestsAnswer(documents=documents)


@router.post("/targets/{target}/components/{component}/import", **ACCEPTED)
async def import_component(
    deps: Deps, asked: Asked, target: Name, component: Component, body: ImportBody
) -> ChangeAnswer:
    """Make a component a deployment as it is: nothing is restarted, and requests come with the route."""
    return await once(deps, asked, ChangeAnswer, lambda: take_in(deps, target, component, body, asked))


@router.post("/deployments/{deployment}/adopt", **ACCEPTED)
async def adopt_changes(deps: Deps, asked: Asked, deployment: Name, body: AdoptBody | None = None) -> ChangeAnswer:
    """Let what somebody else made of a deployment on its target be what is desired."""
    return await once(deps, asked, ChangeAnswer, lambda: adopt(deps, deployment, body or AdoptBody(), asked))
