"""The story from begin to end. Nothing is assumed: what the report says was seen by a client."""

from pathlib import Path
from typing import Any

from longshore.backends.local.artifact import digest_of
from longshore.client import ApiError, Client
from longshore.demo import manifests
from longshore.demo.answers import Answer, by_version, recovery, tally
from longshore.demo.classifiers import RECIPES, Classifier, Recipe, artifact_of, train
from longshore.demo.digits import Split, questions, split, write_golden, write_request
from longshore.demo.driver import DemoError, Driver
from longshore.demo.narrator import Narrator
from longshore.demo.places import COPIES, Place, upload
from longshore.demo.report import Report, Rollout
from longshore.demo.traffic import REQUESTS_PER_SECOND, Traffic
from longshore.settings import Settings
from longshore.stack.up import Stack, up

ENOUGH_ANSWERS = 150
"""Three seconds of traffic: what is looked at before and after each rollout."""
SLOW_FACTOR = 2.0
"""A client finds an answer slow that takes this many times version 2's 99th percentile, as the check `slow` does."""

_ANOTHER_HOME = "run the demo in another LONGSHORE_HOME, or begin anew with longshore down --purge"


def run(settings: Settings, place: Place, narrator: Narrator) -> Report:
    """Tell the whole story and report what was observed. The stack stays up.

    Raises:
        StackError: the stack does not come up.
        ClientError: the API refused something, or went away.
        OSError: the home cannot be written.
    """
    narrator.chapter("Bringing the stack up")
    stack = up(settings, say=narrator.tell, emulate=place.emulated)
    emulator = ", and SageMaker is emulated" if place.emulated else ""
    already = "" if stack.started else " already"
    narrator.tell(f"Postgres, Temporal, Envoy, API, worker and agent are up{already}{emulator}", "✓")
    story = _Story(settings, stack, place, narrator)
    try:
        story.tell()
    except DemoError as error:
        narrator.tell(str(error), "✗")
        story.report.stopped_by = str(error)
    return story.report


class _Story:
    """The chapters, and what was seen in them."""

    def __init__(self, settings: Settings, stack: Stack, place: Place, narrator: Narrator) -> None:
        key = settings.admin_key_file.read_text().strip()  # of this stack, whatever LONGSHORE_API_KEY is for
        self._driver = Driver(Client(stack.api_url, key), place, narrator)
        self._place = place
        self._aws = stack.aws
        self._narrator = narrator
        self._folder = place.folder(settings.home)
        self._golden = self._folder / "golden.jsonl"
        self._url = f"{stack.gateway_url}/v1/models/{place.deployment}{place.infer}"
        urls = {
            "web": stack.web_url,
            "api": stack.api_url,
            "temporal": stack.temporal_ui_url,
            "gateway": stack.gateway_url,
            "infer": self._url,
        }
        self.report = Report(deployment=place.deployment, urls={name: url for name, url in urls.items() if url})

    def tell(self) -> None:
        """All chapters."""
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._driver.clear()
        pictures = split()
        self._register(pictures)
        self._onboard()
        with Traffic(self._url, questions(pictures.traffic)) as traffic:
            try:
                self._watch(traffic, "1")
                self._improve()
                slow = SLOW_FACTOR * self._watch(traffic, "2")
                self._try_bad(traffic, slow)
            finally:
                traffic.stop()
                self._count(traffic.answers)

    def _register(self, pictures: Split) -> None:
        self._narrator.chapter("Three digit classifiers")
        write_golden(self._golden, self._place.infer, pictures.golden)
        write_request(self._folder / "request.json", pictures.golden)
        registered = self._driver.registered()
        files = [manifests.write_target(self._place, self._folder)]
        for recipe in RECIPES:
            classifier = _kept(self._place, self._folder, recipe, registered.get(recipe.version))
            how = "as registered by an earlier demo"
            if classifier is None:
                classifier, how = train(recipe, pictures, self._folder), "trained"
                files.append(manifests.write_version(self._place, self._folder, classifier))
            if self._place.bucket:
                upload(self._place.bucket, classifier.artifact, self._aws)
            share = f"{classifier.accuracy:.1%} right by its own evaluation"
            self._narrator.tell(f"version {classifier.version}, a {classifier.what}: {how}, {share}")
            self.report.classifiers.append(classifier)
        try:
            self._driver.apply(*files)
        except ApiError as error:
            if error.status == 409:
                raise DemoError(f"{error}; {_ANOTHER_HOME}") from error
            raise
        self._narrator.tell(f"target and versions are registered; their manifests are in {self._folder}", "✓")

    def _onboard(self) -> None:
        self._narrator.chapter(f"Version 1 goes live: {COPIES} copies on {self._place.room}")
        operation, _ = self._roll("1")
        if operation["phase"] != "Succeeded":
            raise DemoError(f"version 1 did not go live: {operation['message']}")
        self._serving("1")
        self.report.onboarded = True
        self._narrator.tell(f"clients begin to send pictures, {REQUESTS_PER_SECOND:g} a second: {self._url}", "→")

    def _improve(self) -> None:
        self._narrator.chapter("Version 2 is better: it comes in one copy at a time")
        operation, _ = self._roll("2")
        self._add(operation)
        if operation["phase"] != "Succeeded":
            raise DemoError(f"version 2 did not come in: {operation['message']}")
        self._serving("2")

    def _try_bad(self, traffic: Traffic, slow: float) -> None:
        self._narrator.chapter("Version 3 looks fine on paper, but its training labels got mixed up, and it is slow")
        begun = len(traffic.answers)
        operation, events = self._roll("3")
        self._add(operation)
        if operation["phase"] != "RolledBack":
            raise DemoError(f"version 3 was not rolled back but {operation['phase']}: {operation['message']}")
        self.report.caught_by = caught_by(operation, events)
        self._watch(traffic, "2")
        self.report.recovery_seconds = recovery(traffic.answers[begun:], bad="3", good="2", slow=slow)
        self._serving("2")
        self.report.back = True
        bad = tally(traffic.answers, "3")
        self._narrator.tell(
            f"version 3 answered {bad.requests} requests, {bad.wrong_share:.0%} of them wrong, p99 {bad.p99:.0f} ms"
        )
        if (seconds := self.report.recovery_seconds) is not None:
            self._narrator.tell(f"all traffic was good again {seconds:.1f} s after the first bad answer", "✓")

    def _watch(self, traffic: Traffic, version: str) -> float:
        """Look at the traffic for a moment; the version's 99th percentile in milliseconds."""
        since = len(traffic.answers)
        what = f"{ENOUGH_ANSWERS} answers of version {version}"

        def enough() -> bool:
            return sum(answer.version == version for answer in traffic.answers[since:]) >= ENOUGH_ANSWERS

        self._driver.wait(enough, what)
        seen = tally(traffic.answers[since:], version)
        self._narrator.tell(
            f"clients see: {seen.requests} answers of version {version}, {seen.wrong_share:.1%} wrong, "
            f"p50 {seen.p50:.0f} ms, p99 {seen.p99:.0f} ms"
        )
        return seen.p99

    def _roll(self, version: str) -> tuple[dict[str, Any], list[dict[str, Any]]]:
        manifest = manifests.write_deployment(self._place, self._folder, version, self._golden)
        self._narrator.tell(f"longshore apply -f {manifest}", "→")
        return self._driver.roll(manifest)

    def _add(self, operation: dict[str, Any]) -> None:
        self.report.rollouts.append(Rollout.of(operation))

    def _serving(self, version: str) -> None:
        """Wait until the deployment is seen serving one version, with all its copies and all traffic."""
        copies = {version: COPIES}

        def serving() -> bool:
            found = self._driver.deployment()
            return found is not None and (found["version"], found["copies"], found["ready"], found["traffic"]) == (
                version,
                copies,
                copies,
                {version: 100},
            )

        self._driver.wait(serving, f"version {version} serving alone with {COPIES} ready copies")
        self._narrator.tell(f"seen: {COPIES} of {COPIES} copies of version {version} ready, all traffic theirs", "✓")

    def _count(self, answers: list[Answer]) -> None:
        self.report.requests = len(answers)
        self.report.failed = sum(answer.failed for answer in answers)
        self.report.by_version = by_version(answers)
        self.report.tallies = {version: tally(answers, version) for version in self.report.by_version}


def caught_by(operation: dict[str, Any], events: list[dict[str, Any]]) -> str | None:
    """The check that an operation was rolled back for; None if it was for something else."""
    failed = [event for event in events if event["type"] == "CheckFailed"]
    said = {f"check {event['check']}: {event['message']}": event["check"] for event in failed}
    return said.get(operation["message"])


def _kept(place: Place, folder: Path, recipe: Recipe, registered: dict[str, Any] | None) -> Classifier | None:
    """The classifier of an earlier demo, if it is registered and its artifact is still there."""
    artifact = artifact_of(folder, recipe)
    if registered is None or not artifact.is_file():
        return None
    digest = digest_of(artifact)
    if registered["artifact"] != {"uri": place.uri_of(artifact), "digest": digest}:
        return None
    return Classifier(recipe.version, recipe.what, artifact, digest, registered["evaluation"]["accuracy"])
