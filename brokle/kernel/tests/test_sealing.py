import pytest

from brokle.kernel.sealing import Sealer, UnableToUnseal


def test_what_was_sealed_opens_again_and_never_looks_the_same():
    sealer = Sealer(["secret"])
    sealed = [sealer.seal(b"a key", place="p") for _ in range(2)]

    assert [sealer.unseal(s, place="p") for s in sealed] == [b"a key", b"a key"]
    assert sealed[0] != sealed[1]
    assert b"a key" not in sealed[0]


def test_every_changed_byte_is_noticed():
    sealer = Sealer(["secret"])
    sealed = sealer.seal(b"a key", place="p")
    for index in range(len(sealed)):
        changed = bytearray(sealed)
        changed[index] ^= 1
        with pytest.raises(UnableToUnseal):
            sealer.unseal(bytes(changed), place="p")


@pytest.mark.parametrize("sealed", [b"", b"\x01", b"\x01" + b"x" * 12])
def test_a_torn_value_is_noticed(sealed):
    with pytest.raises(UnableToUnseal):
        Sealer(["secret"]).unseal(sealed, place="p")


def test_a_value_moved_elsewhere_or_under_another_secret_stays_shut():
    sealed = Sealer(["secret"]).seal(b"a key", place="p")

    with pytest.raises(UnableToUnseal):
        Sealer(["secret"]).unseal(sealed, place="q")
    with pytest.raises(UnableToUnseal):
        Sealer(["other"]).unseal(sealed, place="p")


def test_after_a_rotation_the_old_secret_still_opens():
    sealed = Sealer(["old"]).seal(b"a key", place="p")

    assert Sealer(["new", "old"]).unseal(sealed, place="p") == b"a key"
