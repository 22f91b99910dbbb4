"""What lies on disk: artifacts, the agent's state, secrets, logs; and a machine without NVML."""

import hashlib
import os
import subprocess
from pathlib import Path

import pytest

from longshore.backends.local import durable, limits, logs
from longshore.backends.local.artifact import ArtifactError, Artifacts, digest_of, path_of
from longshore.backends.local.durable import Durable, StateError
from longshore.backends.local.machine import find_gpus, machine_name
from longshore.backends.local.record import DeploymentState
from longshore.backends.local.secret_files import SecretError, mask, read_secret
from longshore.planning.fence import Fence
from longshore.spec.model_version import Artifact
from longshore.spec.target import Host


def test_the_digest_of_a_file_is_its_sha256(tmp_path: Path) -> None:
    (tmp_path / "m").write_bytes(b"weights")
    assert digest_of(tmp_path / "m") == f"sha256:{hashlib.sha256(b'weights').hexdigest()}"


def test_the_digest_of_a_folder_is_what_the_usual_tools_say(tmp_path: Path) -> None:
    (tmp_path / "b").mkdir()
    (tmp_path / "b" / "weights").write_bytes(b"1")
    (tmp_path / "config.json").write_bytes(b"2")
    (tmp_path / "link").symlink_to(tmp_path / "config.json")
    lines = (f"{hashlib.sha256(content).hexdigest()}  {name}\n" for name, content in
             [("b/weights", b"1"), ("config.json", b"2"), ("link", b"2")])  # fmt: skip
    assert digest_of(tmp_path) == f"sha256:{hashlib.sha256(''.join(sorted(lines)).encode()).hexdigest()}"

    (tmp_path / "link").unlink()
    told = subprocess.run(
        ["/bin/bash", "-c", "find * -type f | xargs sha256sum | LC_ALL=C sort | sha256sum"],
        cwd=tmp_path, check=True, capture_output=True, text=True,
    )  # fmt: skip
    assert digest_of(tmp_path) == f"sha256:{told.stdout.split()[0]}"


def test_a_folder_with_a_link_to_a_folder_has_no_digest_since_nothing_would_pin_what_is_there(tmp_path: Path) -> None:
    (tmp_path / "model").mkdir()
    (tmp_path / "model" / "more").symlink_to(tmp_path)
    with pytest.raises(ArtifactError, match="copy it there"):
        digest_of(tmp_path / "model")


@pytest.mark.parametrize("uri", ["s3://bucket/m", "file://otherhost/m", "/srv/m", "file:relative", "http://x/m"])
def test_only_files_of_this_machine_have_a_path(uri: str) -> None:
    with pytest.raises(ArtifactError, match="file:///path"):
        path_of(uri)


def test_a_uri_with_escapes_is_the_path_it_escapes(tmp_path: Path) -> None:
    assert path_of((tmp_path / "my model").as_uri()) == tmp_path / "my model"


async def test_an_artifact_that_changes_under_the_same_size_and_time_is_noticed(tmp_path: Path) -> None:
    path = tmp_path / "m"
    path.write_bytes(b"good")
    long_ago = (1_000_000_000, 1_000_000_000)
    os.utime(path, ns=long_ago)
    artifact = Artifact(uri=path.as_uri(), digest=digest_of(path))
    artifacts = Artifacts()
    assert await artifacts.verify(artifact) == path
    path.write_bytes(b"evil")
    os.utime(path, ns=long_ago)
    with pytest.raises(ArtifactError, match="was pinned"):
        await artifacts.verify(artifact)


def test_state_survives_and_a_write_cut_short_leaves_the_old_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    state = DeploymentState(target="t", deployment="digits", fence=Fence(operation=1, step=1))
    remembered = Durable(tmp_path)
    remembered.save(state)
    remembered.save_hosts("t", (Host(name="a", accelerators=1),))

    def disk_is_full(_: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(durable.os, "fsync", disk_is_full)
    with pytest.raises(OSError, match="No space"):
        remembered.save(state.model_copy(update={"fence": Fence(operation=2, step=1)}))
    assert remembered.state("t", "digits") == state, "memory never runs ahead of the disk"
    again = Durable(tmp_path)
    assert again.state("t", "digits") == state
    assert again.hosts("t") == (Host(name="a", accelerators=1),)


def test_a_damaged_state_file_is_named_with_what_to_do(tmp_path: Path) -> None:
    Durable(tmp_path).save(DeploymentState(target="t", deployment="digits", fence=Fence(operation=1, step=1)))
    path = tmp_path / "deployments" / "t" / "digits.json"
    path.write_text("{")
    with pytest.raises(StateError, match=r"digits\.json is damaged .*: restore it, or remove it"):
        Durable(tmp_path)


def test_sequences_grow_over_restarts_even_when_the_clock_goes_back(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = Durable(tmp_path)
    before = [first.next_sequence() for _ in range(100)]
    monkeypatch.setattr(durable.time, "time_ns", lambda: 0)
    second = Durable(tmp_path)
    after = [second.next_sequence() for _ in range(100)]
    assert before == sorted(set(before))
    assert after == sorted(set(after))
    assert after[0] > before[-1]


@pytest.mark.parametrize("name", ["../up", "", ".hidden", "a/b", "a\n"])
def test_a_name_that_is_none_becomes_no_path(tmp_path: Path, name: str) -> None:
    with pytest.raises(ValueError, match="not a name"):
        Durable(tmp_path).save(DeploymentState(target="t", deployment=name, fence=Fence(operation=1, step=1)))


def test_a_secret_is_lines_of_key_and_value(tmp_path: Path) -> None:
    (tmp_path / "hub").write_text("# comment\n\nTOKEN=a=b c\n URL = https://hub\n")
    (tmp_path / "hub").chmod(0o600)
    assert read_secret(tmp_path, "hub") == {"TOKEN": "a=b c", "URL": "https://hub"}


@pytest.mark.parametrize(
    ("content", "mode"), [("TOKEN=hush", 0o640), ("TOKEN=hush", 0o604), ("hush", 0o600), ("1=hush", 0o600)]
)
def test_a_bad_secret_is_refused_without_a_word_of_its_content(tmp_path: Path, content: str, mode: int) -> None:
    (tmp_path / "hub").write_text(content)
    (tmp_path / "hub").chmod(mode)
    with pytest.raises(SecretError) as refusal:
        read_secret(tmp_path, "hub")
    assert "hush" not in str(refusal.value)


def test_masking_takes_the_longest_value_first_and_leaves_short_ones() -> None:
    assert mask("abcdef abcd 1", {"LONG": "abcdef", "PART": "abcd", "ONE": "1"}) == "••• ••• 1"


def test_a_log_is_bounded_while_its_process_writes_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(logs, "LOG_BYTES", 1000)
    with logs.open_log(tmp_path, "c") as log:
        for number in range(5000):
            log.write(f"line {number}\n".encode())
            log.flush()
            if number % 50 == 0:
                logs.rotate(tmp_path, "c")
    folder = logs.copy_folder(tmp_path, "c")
    assert sum(path.stat().st_size for path in folder.iterdir()) < 4000
    assert logs.tail(tmp_path, "c", 60) == [f"line {number}" for number in range(4940, 5000)]
    assert logs.tail(tmp_path, "c", 0) == []


def test_last_words_skip_blank_lines_colours_and_control_characters(tmp_path: Path) -> None:
    with logs.open_log(tmp_path, "c") as log:
        log.write(b"first\n\x1b[31mout of \x07memory\x1b[0m\n\n \t \n\x1b[0m\n")
    assert logs.last_words(tmp_path, "c") == "out of memory"
    assert logs.last_words(tmp_path, "nobody") is None


def test_only_so_many_logs_of_gone_copies_are_kept_and_none_of_present_ones_goes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(logs, "LOGS_OF_GONE_COPIES", 2)
    for age, name in enumerate(["present", "oldest", "older", "newest"]):
        logs.open_log(tmp_path, name).close()
        os.utime(logs.copy_folder(tmp_path, name), (age, age))
    logs.prune(tmp_path, {"present"})
    assert {path.name for path in (tmp_path / "copies").iterdir()} == {"present", "older", "newest"}


def test_a_machine_without_nvml_has_no_gpus_and_no_traceback(capfd: pytest.CaptureFixture[str]) -> None:
    pynvml = pytest.importorskip("pynvml")
    try:
        pynvml.nvmlInit()
    except pynvml.NVMLError:
        assert find_gpus() == ()
        assert "Traceback" not in "".join(capfd.readouterr())
    else:
        assert find_gpus(), "this machine has a driver, so it has GPUs"


def test_the_machine_has_a_name_that_a_manifest_could_give_it() -> None:
    Host(name=machine_name(), accelerators=0)


def test_the_verify_wait_ends_before_the_adapter_gives_up() -> None:
    assert limits.VERIFY_WAIT < limits.AGENT_TIMEOUT
