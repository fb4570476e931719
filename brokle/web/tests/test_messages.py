import gettext
import io

import pytest
from django.contrib.staticfiles import finders  # noqa: F401 - the app registry is ready once this imports

import brokle
from brokle.kernel.extensions import commands, login_methods, navigation, settings_tabs, user_settings_tabs
from brokle.web.messages import UnableToReadCatalog, compile_mo, parse_po
from brokle.web.tests import catalog

PO = (brokle.HOUSE / "locale" / "ar" / "LC_MESSAGES" / "django.po").read_text(encoding="utf-8")
ENTRIES = {entry.msgid: entry for entry in parse_po(PO)}


def read_back(po):
    return gettext.GNUTranslations(io.BytesIO(compile_mo(parse_po(po))))


def test_a_compiled_catalog_answers_in_arabic_with_six_plural_forms():
    arabic = read_back(PO)

    assert arabic.gettext("Overview") == "نظرة عامة"
    texts = [
        arabic.ngettext("Try again in %(seconds)s second.", "Try again in %(seconds)s seconds.", n)
        for n in (1, 2, 5, 12)
    ]
    assert texts == [
        "حاول بعد ثانية واحدة.",
        "حاول بعد ثانيتين.",
        "حاول بعد %(seconds)s ثوانٍ.",
        "حاول بعد %(seconds)s ثانية.",
    ]


def test_fuzzy_and_empty_translations_are_left_out():
    header = 'msgid ""\nmsgstr "Content-Type: text/plain; charset=UTF-8\\n"\n\n'
    arabic = read_back(
        header + '#, fuzzy\nmsgid "One"\nmsgstr "واحد"\n\nmsgid "Two"\nmsgstr ""\n\nmsgid "Three"\nmsgstr "ثلا"\n"ثة"\n'
    )

    assert [arabic.gettext(word) for word in ("One", "Two", "Three")] == ["One", "Two", "ثلاثة"]


def test_contexts_keep_equal_words_apart():
    header = 'msgid ""\nmsgstr "Content-Type: text/plain; charset=UTF-8\\n"\n\n'
    arabic = read_back(header + 'msgctxt "verb"\nmsgid "Host"\nmsgstr "استضف"\n\nmsgid "Host"\nmsgstr "المضيف"\n')

    assert arabic.pgettext("verb", "Host") == "استضف"
    assert arabic.gettext("Host") == "المضيف"


def test_an_unquoted_string_is_refused_with_its_text():
    with pytest.raises(UnableToReadCatalog, match="not a quoted string"):
        parse_po('msgid "One"\nmsgstr واحد\n')


def test_every_text_of_the_product_has_its_arabic():
    missing = {
        text: str(path)
        for text, path in catalog.all_texts().items()
        if text not in ENTRIES or not ENTRIES[text].is_complete
    }

    assert missing == {}


def test_every_title_at_the_extension_points_has_its_arabic():
    points = (navigation, commands, settings_tabs, user_settings_tabs, login_methods)
    titles = {item.title for point in points for item in point.collect()}

    assert {title for title in titles if title not in ENTRIES} == set()
