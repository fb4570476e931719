"""E-mail addresses: one spelling for each mailbox, and none that only looks like another's.

Unicode TR36 and TR39, cut to what mail addresses need: the part before the @ is ASCII, every label of the domain is of
one script, and none is made of letters that all look Latin.
"""

import re
import unicodedata

from django.utils.translation import gettext_lazy as _

LONGEST = 254
_LOCAL = re.compile(r"[a-z0-9!#$%&'*+/=?^_`{|}~-]+(\.[a-z0-9!#$%&'*+/=?^_`{|}~-]+)*", re.IGNORECASE)
# Scripts that are written together.
_TOGETHER = ({"CJK", "HIRAGANA", "KATAKANA"}, {"CJK", "HANGUL"}, {"CJK", "BOPOMOFO"})
# Letters that a reader takes for an ASCII one.
_LIKE_LATIN = frozenset(
    "авгекмнорстухьѕіјѡѵӏԁԍԛԝһҫ"  # Cyrillic
    "αγηικνορτυχωϲϳ"  # Greek
    "օսոհցզյպքց"  # Armenian
    "ıɑɡɩɪʀʏʟɴɢʙʜᴀᴄᴅᴇᴊᴋᴍᴏᴘᴛᴜᴠᴡᴢꜰꜱȷɋɾʋ"  # Latin letters that are not ASCII
)
_NEVER_IN_LATIN = frozenset("ıɑɡɩɪʀʏʟɴɢʙʜᴀᴄᴅᴇᴊᴋᴍᴏᴘᴛᴜᴠᴡᴢꜰꜱȷɋɾʋ")


class UnableToTrustAddress(Exception):
    """Says why, in the reader's language."""


def normal_address(text: str) -> str:
    """The one spelling: without outer blanks, lower case, the domain in its ASCII form."""
    local, at, domain = text.strip().rpartition("@")
    if not at:
        return text.strip().lower()
    return f"{local.lower()}@{_ascii_domain(domain)}"


def trusted_address(text: str) -> str:
    """The one spelling of an address that is what it looks like."""
    found = text.strip()
    local, at, domain = found.rpartition("@")
    if len(found) > LONGEST or not at or not local or not domain:
        raise UnableToTrustAddress(_("Write the address as name@example.com."))
    _refuse_invisible(found)
    if not local.isascii():
        raise UnableToTrustAddress(
            _("Before the @ only plain Latin letters are taken: others can look like somebody else's address.")
        )
    if not _LOCAL.fullmatch(local):
        raise UnableToTrustAddress(_("Quotes, blanks and brackets cannot stand before the @."))
    for label in _readable_domain(domain).split("."):
        _refuse_look_alike(label)
    return normal_address(found)


def _refuse_invisible(text: str) -> None:
    if any(unicodedata.category(letter) in {"Cc", "Cf", "Cn", "Co", "Cs", "Zl", "Zp", "Zs"} for letter in text):
        raise UnableToTrustAddress(_("The address holds an invisible character or a blank. Type it anew."))
    if unicodedata.normalize("NFKC", text) != text:
        raise UnableToTrustAddress(_("The address holds letters that only look like plain ones. Type it anew."))


def _refuse_look_alike(label: str) -> None:
    if label.isascii():
        return
    letters = [letter for letter in label if letter.isalpha()]
    if any(unicodedata.category(sign)[0] == "M" for sign in label) and any(letter.isascii() for letter in letters):
        raise UnableToTrustAddress(_("The address holds letters that only look like plain ones. Type it anew."))
    scripts = {unicodedata.name(letter, "UNKNOWN").split(" ")[0] for letter in letters}
    if len(scripts) > 1 and not any(scripts <= group for group in _TOGETHER):
        raise UnableToTrustAddress(
            _("The address mixes letters of several scripts, so it can look like somebody else's.")
        )
    if any(letter in _NEVER_IN_LATIN for letter in letters) or all(letter in _LIKE_LATIN for letter in letters):
        raise UnableToTrustAddress(
            _("The address is made of letters that look like others, so it can be taken for somebody else's.")
        )


def _readable_domain(domain: str) -> str:
    """What a reader may be shown for `xn--…`."""
    if "xn--" not in domain.lower():
        return domain.lower()
    try:
        return domain.lower().encode("ascii").decode("idna")
    except UnicodeError:
        raise UnableToTrustAddress(_("The domain after the @ is not valid.")) from None


def _ascii_domain(domain: str) -> str:
    if domain.isascii():
        return domain.lower()
    try:
        return domain.lower().encode("idna").decode("ascii")
    except UnicodeError:
        return domain.lower()
