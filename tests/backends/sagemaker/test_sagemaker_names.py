"""Names fit SageMaker's pattern, are stable, and never meet."""

import re

from aws_examples import NAMES
from hypothesis import given
from hypothesis import strategies as st

from longshore.backends.sagemaker.names import LONGEST, Names
from longshore.spec.quantities import NAME, VERSION
from longshore.spec.sagemaker import COMPONENT_NAME, ENDPOINT_NAME

deployments = st.from_regex(NAME, fullmatch=True)
versions = st.from_regex(VERSION, fullmatch=True)


def test_a_name_says_whose_it_is_and_what_it_stands_for() -> None:
    assert re.fullmatch(r"ls-abcdefghij-search-2-[0-9a-f]{8}", NAMES.component("search", "2"))
    long = NAMES.component("a-rather-long-name-of-a-deployment-for-search", "2026.11.02_nightly-build")
    assert re.fullmatch(r"ls-abcdefghij-a-rather-long-name-of-a-d-2026-11-02-nig-[0-9a-f]{8}", long)


@given(deployments, versions)
def test_every_name_fits_the_pattern_and_begins_with_the_prefix_that_policies_name(
    deployment: str, version: str
) -> None:
    for name in (NAMES.component(deployment, version), NAMES.config(deployment, version)):
        assert len(name) <= LONGEST
        assert re.fullmatch(COMPONENT_NAME, name)
        assert re.fullmatch(ENDPOINT_NAME, name)
        assert name.startswith(NAMES.prefix)
    assert NAMES.component(deployment, version) == NAMES.component(deployment, version)


@given(st.lists(st.tuples(deployments, versions), min_size=2, max_size=20, unique=True))
def test_two_versions_never_share_a_name(pairs: list[tuple[str, str]]) -> None:
    assert len({NAMES.component(*pair) for pair in pairs}) == len(pairs)


def test_dashes_between_deployment_and_version_do_not_confuse_them() -> None:
    assert NAMES.component("a-b", "c") != NAMES.component("a", "b-c")


def test_two_targets_and_two_installations_share_no_name() -> None:
    others = Names(installation="klmnpqrstu", target="fleet"), Names(installation="abcdefghij", target="fleet2")
    assert len({one.component("search", "2") for one in (NAMES, *others)}) == 3


def test_tags_are_ours_only_if_all_of_them_are() -> None:
    tags = {tag["Key"]: tag["Value"] for tag in NAMES.tags(deployment="search", version="2")}
    assert NAMES.ours(tags, deployment="search", version="2")
    assert NAMES.ours(tags)
    assert not NAMES.ours(tags, deployment="search", version="3")
    assert not NAMES.ours({**tags, "longshore:installation": "klmnpqrstu"})
    assert not NAMES.ours({})
