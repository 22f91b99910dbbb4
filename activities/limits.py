"""Timeouts and retries of every activity, in one place, with their reasons."""

from datetime import timedelta

from temporalio.common import RetryPolicy

CALL = timedelta(seconds=20)
"""One attempt: a backend, Envoy or Postgres answers in milliseconds; twenty seconds is a hang."""

ASK = timedelta(minutes=2)
"""One attempt to ask models themselves, smoke tests and golden requests: a large one answers in seconds, not in
milliseconds. A worker that dies meanwhile is noticed by `LOST`, not by this."""

PATIENCE = timedelta(seconds=60)
"""All attempts together. Then the operation hears of it, says so, listens to people, and asks again."""

RETRY = RetryPolicy(
    initial_interval=timedelta(milliseconds=200),
    backoff_coefficient=2.0,
    maximum_interval=timedelta(seconds=5),
)
"""Most faults are restarts of a part, over within a second or two."""

VERIFY = timedelta(hours=2)
"""Hashing a large artifact: 500 GiB at 100 MB/s takes an hour and a half."""

LOST = timedelta(seconds=5)
"""An activity that gave no sign of life for so long was its worker's last: a rollout whose worker was killed goes on
after this, and not only after `CALL` or `VERIFY`."""

BEAT = timedelta(seconds=1.5)
"""Between two signs of life."""

RECORD = timedelta(seconds=20)
"""One attempt to write what happened. It is tried for ever: an operation whose story is lost must not go on."""
