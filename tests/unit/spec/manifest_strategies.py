"""Manifests as hypothesis draws them: every field, and texts that YAML likes to mistake for something else."""

from typing import Any, get_args

from hypothesis import strategies as st

from longshore.spec.freeze import Day

Drawn = st.SearchStrategy[Any]

NAMES = st.from_regex(r"[a-z0-9]([-a-z0-9]{0,20}[a-z0-9])?", fullmatch=True)
VERSIONS = st.from_regex(r"[A-Za-z0-9]([-A-Za-z0-9_.]{0,20}[A-Za-z0-9])?", fullmatch=True)
TEXTS = st.one_of(
    st.text(st.characters(exclude_categories=["Cs"]), max_size=20),
    st.sampled_from(
        ["yes", "No", "on", "null", "~", "", "1", "0x1f", "1e3", "1_0", ".inf", "2020-01-01", "1:30", "<<"]
    ),
    st.sampled_from(
        ["a: b", "- a", "# c", "'", '"', "!t", "&a", "*a", "%x", "@x", "a\nb\n", " lead", "trail ", "\x85"]
    ),
)
NUMBERS = st.floats(min_value=0, max_value=1e9, allow_nan=False)
DURATIONS = st.one_of(
    st.integers(1, 10_000),
    st.floats(0.001, 1e6, allow_nan=False),
    st.builds(lambda count, unit: f"{count}{unit}", st.integers(1, 500), st.sampled_from(["ms", "s", "m", "h", "d"])),
    st.sampled_from(["1h30m", "2.5s", "1m30s500ms"]),
)
AMOUNTS = st.one_of(st.integers(0, 50), st.integers(0, 100).map(lambda percent: f"{percent}%"))
SHARES = st.one_of(NUMBERS, st.integers(0, 300).map(lambda percent: f"{percent}%"))
JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**63) | NUMBERS | TEXTS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXTS, inner, max_size=3),
    max_leaves=6,
)


def fields(required: dict[str, Drawn] | None = None, **optional: Drawn) -> Drawn:
    """A mapping with the required fields, and some of the optional ones."""
    return st.fixed_dictionaries(required or {}, optional=optional)


def document(kind: str, metadata: Drawn, spec: Drawn) -> Drawn:
    """A document of a kind, with or without its apiVersion."""
    return fields({"kind": st.just(kind), "metadata": metadata, "spec": spec}, apiVersion=st.just("longshore/v1"))


TARGETS = document(
    "Target",
    fields({"name": NAMES}),
    fields(
        {"backend": st.sampled_from(["local", "simulated"])},
        hosts=st.lists(
            fields({"name": NAMES, "accelerators": st.integers(0, 16)}, acceleratorMemoryGiB=NUMBERS), max_size=3
        ),
    ),
)

MODEL_VERSIONS = document(
    "ModelVersion",
    fields({"model": NAMES, "version": VERSIONS}),
    fields(
        {
            "artifact": fields(
                {"uri": TEXTS.filter(bool), "digest": st.from_regex(r"sha256:[0-9a-f]{64}", fullmatch=True)}
            ),
            "server": fields(
                {"command": st.lists(TEXTS, min_size=1, max_size=4)},
                port=st.just("auto") | st.integers(1, 65535),
                ready=TEXTS.map(lambda text: f"/{text}"),
                protocol=st.sampled_from(["open-inference-v2", "openai", "http"]),
                env=st.dictionaries(TEXTS, TEXTS, max_size=3),
                secretRef=st.none() | NAMES,
                image=st.none() | st.from_regex(r"[a-z0-9./:@-]{1,60}", fullmatch=True),
                smoke=st.none()
                | fields({"path": TEXTS.map(lambda text: f"/{text}")}, method=st.just("POST"), body=JSON, expect=JSON),
            ),
        },
        resources=fields(accelerators=st.integers(0, 8), acceleratorMemoryGiB=NUMBERS, cpus=st.none()),
        evaluation=st.dictionaries(TEXTS, NUMBERS, max_size=3),
        sideBySide=st.booleans(),
    ),
)

_CONDITIONS = st.one_of(
    fields({"metric": st.sampled_from(["error-rate", "latency-p99", "latency-p99.9"]), "max": NUMBERS}),
    fields({"metric": st.just("latency-p50"), "compare": st.just("baseline"), "maxIncrease": SHARES}),
    fields(
        {
            "metric": st.just("accuracy"),
            "min": NUMBERS,
            "source": fields({"golden": TEXTS.map(lambda text: f"file://{text}")}),
        }
    ),
)
_LIMITS = fields(
    confidence=st.floats(0.6, 0.99),
    interval=DURATIONS,
    minSamples=st.integers(1, 1000),
    failures=st.integers(0, 5),
    errors=st.integers(0, 5),
    inconclusive=st.integers(0, 5),
    mode=st.sampled_from(["enforce", "observe"]),
)
_CHECKS = st.builds(lambda name, condition, limits: {"name": name, **condition, **limits}, NAMES, _CONDITIONS, _LIMITS)

DEPLOYMENTS = document(
    "Deployment",
    fields({"name": NAMES}, labels=st.dictionaries(TEXTS, TEXTS, max_size=4)),
    fields(
        {"target": NAMES, "model": NAMES, "version": VERSIONS},
        copies=st.integers(0, 10_000),
        idempotent=st.booleans(),
        rollout=fields(
            strategy=st.sampled_from(["auto", "rolling"]),
            batch=AMOUNTS,
            maxUnavailable=AMOUNTS,
            bake=DURATIONS,
            deadline=DURATIONS,
            rollbackBatch=st.none() | AMOUNTS,
            drainTimeout=DURATIONS,
            keepWarm=st.sampled_from(["0s", 0]),
            steps=st.just([]),
            checks=st.lists(_CHECKS, max_size=3, unique_by=lambda check: check["name"]),
        ),
    ),
)

_TIMES = st.builds("{:02}:{:02}".format, st.integers(0, 23), st.integers(0, 59))
_WINDOWS = st.one_of(
    fields(
        {
            "days": st.lists(st.sampled_from(get_args(Day)), min_size=1, max_size=7),
            "from": _TIMES,
            "until": _TIMES | st.just("24:00"),
        }
    ),
    fields(
        {"from": _TIMES.map(lambda time: f"2026-11-27T{time}"), "until": _TIMES.map(lambda time: f"2026-12-01T{time}")}
    ),
)
FREEZES = document(
    "Freeze",
    fields({"name": NAMES}),
    fields(
        {"reason": TEXTS.filter(bool), "windows": st.lists(_WINDOWS, min_size=1, max_size=3)},
        timeZone=st.sampled_from(["UTC", "Europe/Berlin", "America/Argentina/Buenos_Aires"]),
        deployments=st.lists(NAMES, max_size=3),
        labels=st.dictionaries(TEXTS, TEXTS, max_size=3),
        targets=st.lists(NAMES, max_size=3),
    ),
)

DOCUMENTS = st.one_of(TARGETS, MODEL_VERSIONS, DEPLOYMENTS, FREEZES)
