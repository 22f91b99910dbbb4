"""The legs of a rollout: how many copies each adds, and the traffic it leads to (DESIGN, rules 1, 2, 5 and 6).

A leg is what a batch is meant to do when there is room for all of it. Where there is less, several batches make up
one leg.
"""

from typing import NamedTuple

from longshore.planning.words import BatchProgress
from longshore.spec.deployment import RolloutPolicy, Step
from longshore.spec.quantities import format_duration, of_copies


class Course(NamedTuple):
    """All that decides the legs of a rollout."""

    policy: RolloutPolicy
    copies: int
    """Desired copies, N."""
    whole: bool
    """All copies at once: an onboarding, blue/green."""
    steps: tuple[Step, ...] = ()
    """Of a canary, the last weight of 100 among them."""
    skip: bool = False
    """promote --full: of the steps only approvals are left."""


class Leg(NamedTuple):
    """What the next batch is meant to do."""

    add: int
    """Copies of the new version."""
    weight: int
    """The new version's share of the traffic with all of them."""
    step: int = 0
    """Index of the canary step that it carries out."""


def share(new: int, copies: int) -> int:
    """The new version's weight once it has `new` of the desired copies (rule 2)."""
    return round(100 * new / copies) if copies else 100


def copies_for(weight: int, copies: int) -> int:
    """The fewest of the desired copies that make up a weight: the inverse of `share`."""
    return next((number for number in range(copies + 1) if share(number, copies) >= weight), copies) if weight else 0


def of_weight(weight: int, copies: int) -> int:
    """Copies of a canary at a weight: `ceil(weight · copies / 100)` (rule 5)."""
    return -(-weight * copies // 100)


def steps_of(policy: RolloutPolicy) -> tuple[Step, ...]:
    """The steps of a canary, with the last `weight: 100` that is implied."""
    whole = any(step.weight == 100 for step in policy.steps)
    return policy.steps if whole else (*policy.steps, Step(weight=100))


def standing_step(course: Course, step: int) -> int | None:
    """The index of the pause or approval at which a canary stands before its next leg; None when it may go on."""
    for index in range(step, len(course.steps) if course.copies else step):
        at = course.steps[index]
        if at.approval is not None or (at.pause is not None and not course.skip):
            return index
        if at.weight == 100 or (at.weight is not None and not course.skip):
            return None
    return None


def next_leg(course: Course, settled: int, step: int = 0) -> Leg | None:
    """What comes after `settled` copies and the first `step` steps of a canary; None when nothing is left."""
    rest = max(0, course.copies - settled)
    if course.steps and course.copies:
        return _canary_leg(course, settled, step)
    if rest == 0:
        return None
    if course.whole:
        return Leg(add=rest, weight=100)
    add = min(course.policy.batch_copies(course.copies), rest)
    return Leg(add=add, weight=share(settled + add, course.copies))


def _canary_leg(course: Course, settled: int, step: int) -> Leg | None:
    for index in range(step, len(course.steps)):
        at = course.steps[index]
        if at.weight is None or (course.skip and at.weight < 100):
            continue
        goal = of_weight(at.weight, course.copies)
        if at.copies is not None and at.weight < 100:
            goal = min(course.copies, max(1, of_copies(at.copies, course.copies, up=True)))
        return Leg(add=max(0, goal - settled), weight=at.weight, step=index)
    return None


def weight_after(leg: Leg, size: int, settled: int, copies: int) -> int:
    """The share after a batch of `size` copies: what they make up, and the leg's once they are all of it."""
    return leg.weight if size >= leg.add else min(leg.weight, share(settled + size, copies))


def old_after(course: Course, level: int, new: int, weight: int) -> int:
    """Copies of the old version beside `new` ones of the new once these have `weight` and have baked.

    N - new, and as many as its share of the traffic needs where the new version was given more copies than its own.
    """
    needed = of_weight(100 - weight, course.copies) if _set(course, weight) else int(weight < 100)
    return min(level, max(course.copies - new, needed))


def _set(course: Course, weight: int) -> bool:
    return any(step.weight == weight and step.copies is not None for step in course.steps)


def dip_allowed(course: Course, settled: int, level: int) -> int:
    """Copies of `level` old ones that may be drained before new ones start: `maxUnavailable` of N may be missing."""
    missing = course.policy.unavailable_copies(course.copies)
    return max(0, min(missing, settled + level - (course.copies - missing)))


def ladder(  # noqa: PLR0913 - where a rollout stands is so many numbers
    course: Course,
    level: int,
    *,
    done: tuple[BatchProgress, ...] = (),
    settled: int = 0,
    step: int = 0,
    size: int | None = None,
) -> tuple[BatchProgress, ...]:
    """The batches of a rollout: what each adds, what it removes, and the weight after it.

    Args:
        course: the rollout's.
        level: copies of the old version before the next batch.
        done: the batches that are done.
        settled: copies of the new version from those.
        step: steps of a canary that are done.
        size: of the next batch, once its room is known; a full one, while it is not.
    """
    laid = list(done)
    while (leg := next_leg(course, settled, step)) is not None:
        add = leg.add if size is None else min(size, leg.add)
        weight = weight_after(leg, add, settled, course.copies)
        settled += add
        left = old_after(course, level, settled, weight)
        step = leg.step + 1 if add == leg.add else step
        laid.append(
            BatchProgress(
                number=len(laid) + 1,
                add=add,
                remove=level - left,
                weight=weight,
                state="waiting",
                then=_then(course, step) if add == leg.add else "",
            )
        )
        level, size = left, None
    return tuple(laid)


def _then(course: Course, step: int) -> str:
    """What a canary stands at after a batch: `pause 5m`, `approval by approver`."""
    standing = standing_step(course, step)
    if standing is None:
        return ""
    said = []
    for at in course.steps[standing:]:
        if at.weight is not None:
            break
        said.append(told(at))
    return ", ".join(said)


def told(step: Step) -> str:
    """A step of a canary in a few words."""
    if step.approval is not None:
        return f"approval by {' or '.join(step.approval.roles)}"
    if isinstance(step.pause, float):
        return f"pause {format_duration(step.pause)}"
    return "pause" if step.pause is not None else f"weight {step.weight}"
