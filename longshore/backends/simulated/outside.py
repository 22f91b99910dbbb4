"""What other people do to a simulated target behind Longshore's back, and what is there that was never Longshore's."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from longshore.backends.inventory import Adoption, Found
from longshore.backends.port import BackendError, CopiesLevel
from longshore.planning.observed import Difference
from longshore.planning.outside import COPIES, DELETED
from longshore.spec.model_version import ModelVersionSpec

Subject = tuple[str, str]
"""(deployment, version)."""


@dataclass
class Change:
    """What somebody else made of a version."""

    copies: int | None = None
    """Another number of them."""
    spec: ModelVersionSpec | None = None
    """Another specification."""
    deleted: bool = False


@dataclass
class Stranger:
    """Something that serves on the target and was never Longshore's."""

    spec: ModelVersionSpec
    copies: int
    installation: str | None = None
    """Another Longshore's."""


@dataclass
class Outside:
    """`fleet.outside.change(deployment, version, copies=6)`: somebody did that to the fleet, and nothing was told."""

    changes: dict[Subject, Change] = field(default_factory=dict)
    strangers: dict[str, Stranger] = field(default_factory=dict)
    names: dict[Subject, str] = field(default_factory=dict)
    """Names of what was a stranger and was taken over."""

    def keeps(self, level: CopiesLevel) -> bool:
        """Whether a level changes nothing, since somebody else's change is not to be undone; with `take` it is."""
        subject = level.deployment, level.version
        if level.take:
            self.changes.pop(subject, None)
        return subject in self.changes

    def copies(self, subject: Subject, wanted: int) -> int:
        """How many copies a version shall have, as its platform was told last."""
        change = self.changes.get(subject, Change())
        return 0 if change.deleted else wanted if change.copies is None else change.copies

    def differences(self, levels: Mapping[Subject, CopiesLevel], deployment: str | None) -> tuple[Difference, ...]:
        """What is other than it was made, of all deployments or of one."""
        changed = [(subject, change) for subject, change in self.changes.items() if deployment in {None, subject[0]}]
        return tuple(one for subject, change in changed for one in _differences(subject, levels[subject], change))

    def found(self, levels: Mapping[Subject, CopiesLevel]) -> tuple[Found, ...]:
        """See `Inventory.components`."""
        ours = [
            self._ours(subject, level) for subject, level in levels.items() if level.copies or subject in self.changes
        ]
        others = [
            Found(
                component=name,
                state="InService",
                copies=one.copies,
                ready=one.copies,
                installation=one.installation,
                obstacle=f"it is of installation {one.installation}" if one.installation else None,
            )
            for name, one in self.strangers.items()
        ]
        return tuple(sorted([*ours, *others], key=lambda one: one.component))

    def spec(self, component: str, levels: Mapping[Subject, CopiesLevel]) -> ModelVersionSpec:
        """What serves under this name.

        Raises:
            BackendError: nothing does.
        """
        if stranger := self.strangers.get(component):
            return stranger.spec
        subject: Subject | None = next((one for one in levels if self.name(one) == component), None)
        if subject is None:
            raise BackendError("NotFound", f"there is no component {component}", retryable=False)
        return self.changes.get(subject, Change()).spec or levels[subject].spec

    def name(self, subject: Subject) -> str:
        """The platform's name of a version."""
        return self.names.get(subject, "-".join(subject))

    def accept(self, adoption: Adoption, levels: dict[Subject, CopiesLevel]) -> Stranger | None:
        """Note it as it is; what was a stranger until now comes back, for its copies to be counted.

        Raises:
            BackendError: it is not what was looked at any more.
        """
        subject = adoption.deployment, adoption.version
        known = levels.get(subject)
        if known is not None and subject not in self.changes and known.copies == adoption.copies:
            return None  # accepted before
        if self.spec(adoption.component, levels) != adoption.spec:
            raise BackendError(
                "ChangedMeanwhile", f"{adoption.component} was changed again: look again", retryable=False
            )
        if adoption.before is not None:
            self.changes.pop((adoption.deployment, adoption.before), None)
            levels.pop((adoption.deployment, adoption.before), None)
        self.names[subject] = adoption.component
        levels[subject] = CopiesLevel(
            deployment=adoption.deployment,
            model=adoption.model,
            version=adoption.version,
            copies=adoption.copies,
            spec=adoption.spec,
            fence=adoption.fence,
        )
        return self.strangers.pop(adoption.component, None)

    def _ours(self, subject: Subject, level: CopiesLevel) -> Found:
        change = self.changes.get(subject, Change())
        copies = self.copies(subject, level.copies)
        return Found(
            component=self.name(subject),
            state="Deleted" if change.deleted else "InService",
            copies=copies,
            ready=copies,
            ours=True,
            deployment=subject[0],
            version=subject[1],
            changed=change.spec is not None,
            gone=change.deleted,
        )


def _differences(subject: Subject, level: CopiesLevel, change: Change) -> Iterator[Difference]:
    deployment, version = subject
    if change.deleted:
        yield Difference(deployment=deployment, version=version, what=DELETED, wanted="", found="")
        return
    if change.copies is not None and change.copies != level.copies:
        told = {"wanted": str(level.copies), "found": str(change.copies)}
        yield Difference(deployment=deployment, version=version, what=COPIES, **told)
    if change.spec is not None:
        told = {"wanted": level.spec.artifact.uri, "found": change.spec.artifact.uri}
        yield Difference(deployment=deployment, version=version, what="Artifact", **told)
