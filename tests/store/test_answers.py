"""Answers by idempotency key."""

from datetime import timedelta

from examples import NOON

from longshore.store.answers import KEPT_FOR, KeptAnswer
from longshore.store.store import Store


def answer(key: str = "k", **changes: object) -> KeptAnswer:
    values = {"caller": "a", "key": key, "request": "f", "status": 200, "body": {"changed": True}, "at": NOON}
    return KeptAnswer.model_validate(values | changes)


async def test_the_first_answer_under_a_key_stays(store: Store) -> None:
    await store.answers.keep(answer())
    await store.answers.keep(answer(body={"changed": False}))
    assert await store.answers.get("a", "k") == answer()


async def test_callers_do_not_see_each_others_answers(store: Store) -> None:
    await store.answers.keep(answer())
    assert await store.answers.get("b", "k") is None
    await store.answers.keep(answer(caller="b", status=409))
    assert await store.answers.get("b", "k") == answer(caller="b", status=409)
    assert await store.answers.get("a", "k") == answer()


async def test_old_answers_are_forgotten_when_new_ones_come(store: Store) -> None:
    await store.answers.keep(answer("old"))
    await store.answers.keep(answer("edge", at=NOON + timedelta(seconds=1)))
    await store.answers.keep(answer("new", at=NOON + timedelta(seconds=1) + KEPT_FOR))
    kept = [await store.answers.get("a", key) for key in ("old", "edge", "new")]
    assert [one is not None for one in kept] == [False, True, True]
