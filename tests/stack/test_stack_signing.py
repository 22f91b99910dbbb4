"""Requests to AWS are signed, or the doctor says why not."""

from pathlib import Path

import pytest

from longshore.stack.signing import signing_check
from longshore.stack.surroundings import authorities, credentials
from longshore.traffic.signing import Signing, signing

KEYS = {"AWS_ACCESS_KEY_ID": "id", "AWS_SECRET_ACCESS_KEY": "secret"}
TOKEN = {"AWS_WEB_IDENTITY_TOKEN_FILE": "/token", "AWS_ROLE_ARN": "arn:aws:iam::123456789012:role/r"}
FILE = "[default]\naws_access_key_id=id\naws_secret_access_key=a%b\n[half]\naws_access_key_id=id\n"
AWS = "aws.metadata_credentials_provider"
EC2, STS = f"{AWS}.ec2_instance_metadata_server_internal", f"{AWS}.sts_token_service_internal-eu-central-1"


@pytest.mark.parametrize(
    ("environment", "found"),
    [
        pytest.param({}, None, id="nothing"),
        pytest.param(KEYS, "AWS_ACCESS_KEY_ID", id="keys"),
        pytest.param({"AWS_ACCESS_KEY_ID": "id"}, None, id="half of the keys"),
        pytest.param({**KEYS, "AWS_SECRET_ACCESS_KEY": ""}, None, id="empty keys"),
        pytest.param({"HOME": "HOME"}, "profile default of HOME/.aws/credentials", id="the file of the home"),
        pytest.param({"HOME": "HOME", "AWS_PROFILE": "half"}, None, id="a profile without its secret"),
        pytest.param({"HOME": "HOME", "AWS_PROFILE": "none"}, None, id="a profile that is not there"),
        pytest.param({"HOME": "HOME", "AWS_SHARED_CREDENTIALS_FILE": "/nowhere"}, None, id="a file that is not there"),
        pytest.param({"AWS_SHARED_CREDENTIALS_FILE": "HOME/bad"}, None, id="a file that is none"),
        pytest.param({**KEYS, "HOME": "HOME", **TOKEN}, "AWS_ACCESS_KEY_ID", id="keys come first"),
        pytest.param({"HOME": "HOME", **TOKEN}, "profile default of HOME/.aws/credentials", id="then the file"),
        pytest.param(TOKEN, "AWS_WEB_IDENTITY_TOKEN_FILE", id="a token of an identity"),
        pytest.param(
            {"AWS_CONTAINER_CREDENTIALS_FULL_URI": "http://127.0.0.1/"},
            "AWS_CONTAINER_CREDENTIALS_FULL_URI",
            id="those of a container",
        ),
    ],
)
def test_credentials_are_where_envoy_looks(environment: dict[str, str], found: str | None, tmp_path: Path) -> None:
    (tmp_path / ".aws").mkdir()
    (tmp_path / ".aws" / "credentials").write_text(FILE)
    (tmp_path / "bad").write_text("no file of credentials")
    here = {name: value.replace("HOME", str(tmp_path)) for name, value in environment.items()}
    assert credentials(here) == (found and found.replace("HOME", str(tmp_path)))


def test_authorities_are_those_told_where_they_are_there(tmp_path: Path) -> None:
    file = tmp_path / "roots.pem"
    file.write_text("")
    assert authorities({"AWS_CA_BUNDLE": str(file), "SSL_CERT_FILE": "/nowhere"}) == str(file)
    assert authorities({"AWS_CA_BUNDLE": "/nowhere", "SSL_CERT_FILE": str(file)}) == str(file)
    assert authorities({"AWS_CA_BUNDLE": "/nowhere"}) == authorities({})


@pytest.mark.parametrize(
    ("stats", "told"),
    [
        pytest.param({}, Signing("g", "keys"), id="nothing yet"),
        pytest.param({f"{EC2}.credential_refreshes_failed": 4}, Signing("g", "keys"), id="no role of the machine"),
        pytest.param(
            {f"{STS}.credential_refreshes_failed": 2},
            Signing("g", "keys", refused_roles=("eu-central-1",)),
            id="a role that is refused",
        ),
        pytest.param(
            {f"{STS}.credential_refreshes_failed": 2, f"{STS}.credential_refreshes_succeeded": 1},
            Signing("g", "keys"),
            id="a role that was had in the end",
        ),
        pytest.param(
            {
                "cluster.d/1.0.aws_request_signing.signing_added": 3,
                "cluster.d/1.0.upstream_rq_403": 3,
                "cluster.d/1.0.upstream_rq_completed": 3,
                "cluster.d/2.aws_request_signing.signing_added": 3,
                "cluster.d/2.upstream_rq_403": 1,
                "cluster.d/2.upstream_rq_completed": 3,
                "cluster.local/1.upstream_rq_403": 5,
                "cluster.local/1.upstream_rq_completed": 5,
                "longshore_unsigned_requests.total.cluster.d/1.0": 2,
                "longshore_unsigned_requests.total.cluster.local/1": 7,
            },
            Signing("g", "keys", unsigned={"d/1.0": 2}, denied={"d/1.0": 3}),
            id="only what AWS answered counts, and only where it denied everything",
        ),
    ],
)
def test_counters_tell_how_signing_goes(stats: dict[str, int], told: Signing) -> None:
    assert signing("g", "keys", stats) == told


def test_the_role_of_a_machine_is_known_once_it_was_asked_for() -> None:
    assert signing("g", "", {f"{EC2}.credential_refreshes_succeeded": 1}).source == "the role of its machine"
    assert signing("g", "", {f"{EC2}.credential_refreshes_failed": 1}).source is None


@pytest.mark.parametrize(
    ("found", "role", "says"),
    [
        pytest.param(
            Signing("g", "keys"), None, "✓ signing: g signs requests to AWS, with credentials of keys", id="ok"
        ),
        pytest.param(
            Signing("g"), "fleet", "✓ signing: g signs requests to AWS, with credentials of the role", id="role"
        ),
        pytest.param(Signing("g"), None, "✗ signing: g has no AWS credentials: requests", id="none"),
        pytest.param(
            Signing("g", "keys", unsigned={"d/1": 2}),
            None,
            "✗ signing: g sent requests to AWS without a signature: 2 of d/1 → set AWS_ACCESS_KEY_ID",
            id="unsigned, whatever it seemed to have",
        ),
        pytest.param(
            Signing("g", "keys", refused_roles=("eu-central-1",)),
            None,
            "✗ signing: g may not take on its target's role (STS in eu-central-1 said no) → allow sts:AssumeRole",
            id="a role that is refused",
        ),
        pytest.param(
            Signing("g", "keys", denied={"d/1": 3}),
            None,
            "✗ signing: AWS denied every request that g signed (403): 3 of d/1 → allow sagemaker:InvokeEndpoint to",
            id="denied",
        ),
    ],
)
def test_the_doctor_names_what_is_wrong_and_its_cure(found: Signing, role: str | None, says: str) -> None:
    assert signing_check(found, role).line().startswith(says)
