import hashlib
import io
import json
import os
import tarfile

import pytest

from brokle.engines.backup import passphrase
from brokle.engines.backup.archive import Manifest, UnableToReadBackup, is_safe, reading, writing


@pytest.fixture
def backup(tmp_path):
    target = tmp_path / "a backup.tar"
    (tmp_path / "rows").write_bytes(b"row\n" * 5000)
    with writing(target, Manifest("0.1.0", "2026-01-01T00:00:00+00:00")) as writer:
        writer.add("clickhouse/rows", tmp_path / "rows")
        writer.add_bytes("redis/state", b"state")
    return target


def test_what_was_written_is_read_back(backup, tmp_path):
    with reading(backup) as reader:
        assert reader.read("redis/state") == b"state"
        assert reader.names("clickhouse/") == ["clickhouse/rows"]
        reader.extract("clickhouse/rows", tmp_path / "out")

    assert (tmp_path / "out").read_bytes() == b"row\n" * 5000
    assert sorted(p.name for p in tmp_path.iterdir()) == ["a backup.tar", "out", "rows"]
    assert backup.stat().st_mode & 0o777 == 0o600


def test_a_backup_that_fails_leaves_the_former_one(backup):
    before = backup.read_bytes()
    with pytest.raises(FileNotFoundError), writing(backup, Manifest("0.1.0", "")) as writer:
        writer.add("redis/state", backup.parent / "nothing")

    assert backup.read_bytes() == before
    assert [p.name for p in backup.parent.iterdir() if p.name.startswith(".")] == []


@pytest.mark.parametrize("share", [0.0, 0.1, 0.5, 0.9, 0.99, 1.0])
def test_a_file_cut_anywhere_before_its_last_byte_is_refused(backup, share):
    content = backup.read_bytes()
    with tarfile.open(backup) as tar:
        last = tar.getmembers()[-1]
    backup.write_bytes(content[: int((last.offset_data + last.size - 1) * share)])

    with pytest.raises(UnableToReadBackup), reading(backup):
        raise AssertionError("unreachable")


def test_every_changed_byte_of_content_is_noticed(backup):
    content = backup.read_bytes()
    with tarfile.open(backup) as tar:
        spans = [(info.offset_data, info.size) for info in tar]
    places = [place for start, size in spans for place in {start, start + size // 2, start + size - 1}]
    for place in places:
        changed = bytearray(content)
        changed[place] ^= 1
        backup.write_bytes(changed)
        with pytest.raises(UnableToReadBackup, match="changed|damaged|not ours"), reading(backup):  # noqa: RUF043
            raise AssertionError("unreachable")


@pytest.mark.parametrize(
    "name", ["../etc/passwd", "/etc/passwd", "a/../../b", "", ".", "spool//etc/passwd", "spool/./x", "spool/"]
)
def test_a_name_that_leads_elsewhere_is_refused(backup, name):
    assert not is_safe(name)
    with tarfile.open(backup, "a") as tar:
        info = tarfile.TarInfo(name or "./")
        tar.addfile(info, io.BytesIO())
    with pytest.raises(UnableToReadBackup), reading(backup):
        raise AssertionError("unreachable")


@pytest.mark.parametrize("kind", [tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.CHRTYPE, tarfile.FIFOTYPE])
def test_links_and_devices_are_refused(backup, kind):
    with tarfile.open(backup, "a") as tar:
        info = tarfile.TarInfo("uploads/link")
        info.type, info.linkname = kind, "/etc/passwd"
        tar.addfile(info)
    with pytest.raises(UnableToReadBackup, match="not ours"), reading(backup):
        raise AssertionError("unreachable")


def test_a_file_that_claims_more_than_it_holds_is_refused(backup):
    with tarfile.open(backup, "a") as tar:
        info = tarfile.TarInfo("uploads/hole")
        info.pax_headers = {"GNU.sparse.map": "0,0", "GNU.sparse.size": str(2**62)}
        tar.addfile(info)
    with pytest.raises(UnableToReadBackup, match="not ours"), reading(backup):
        raise AssertionError("unreachable")


def sealed(manifest):
    content = json.dumps(manifest).encode()
    return {"manifest.json": content, "manifest.json.sha256": hashlib.sha256(content).hexdigest().encode()}


@pytest.mark.parametrize("manifest", [[], {"version": 1}, {"version": "1", "created_at": "", "members": []}])
def test_a_manifest_of_another_shape_is_refused(tmp_path, manifest):
    with tarfile.open(tmp_path / "x", "w") as tar:
        for name, content in sealed(manifest).items():
            info = tarfile.TarInfo(name)
            info.size = len(content)
            tar.addfile(info, io.BytesIO(content))
    with pytest.raises(UnableToReadBackup, match="not as we write it"), reading(tmp_path / "x"):
        raise AssertionError("unreachable")


def test_a_member_that_is_not_there_is_named(backup, tmp_path):
    with reading(backup) as reader, pytest.raises(UnableToReadBackup, match=r"postgres\.dump"):
        reader.extract("postgres.dump", tmp_path / "out")


@pytest.mark.parametrize("error", [FileNotFoundError("psql"), EOFError("rows")])
def test_what_fails_while_restoring_is_not_blamed_on_the_file(backup, error):
    with pytest.raises(type(error)), reading(backup):
        raise error


def test_nothing_that_lies_beside_the_target_is_in_the_way(tmp_path):
    """What a killed backup of the same process id left behind, or what somebody planted to be written through."""
    precious = tmp_path / "precious"
    precious.write_text("kept")
    target = tmp_path / "backup.tar"
    target.with_name(f".backup.tar.scratch-{os.getpid()}").mkdir()
    target.with_name(f".backup.tar.partial-{os.getpid()}").symlink_to(precious)
    with writing(target, Manifest("0.1.0", "")) as writer:
        writer.add_bytes("redis/state", b"state")

    assert precious.read_text() == "kept"
    with reading(target) as reader:
        assert reader.read("redis/state") == b"state"


def test_something_that_is_no_backup_is_refused(tmp_path):
    (tmp_path / "x").write_bytes(b"hello" * 1000)
    for path in (tmp_path / "x", tmp_path / "nothing"):
        with pytest.raises(UnableToReadBackup), reading(path):
            raise AssertionError("unreachable")


def test_the_secret_opens_with_its_passphrase_only():
    sealed = passphrase.seal("the root secret", "correct horse")

    assert b"root secret" not in sealed
    assert passphrase.unseal(sealed, "correct horse") == "the root secret"
    with pytest.raises(passphrase.UnableToOpen):
        passphrase.unseal(sealed, "wrong horse")


@pytest.mark.parametrize(
    "content",
    [
        b"{}",
        b"not json",
        b'{"salt": "!", "nonce": "", "content": ""}',
        b'{"salt": "c2FsdA==", "nonce": "bm9uY2U=", "content": "eA==", "cost": 3}',
        b'{"salt": "c2FsdA==", "nonce": "", "content": "eA=="}',
    ],
)
def test_a_sealed_secret_of_another_shape_is_refused(content):
    with pytest.raises(passphrase.UnableToOpen, match="not as we write it"):
        passphrase.unseal(content, "correct horse")
