import re

import pytest
from django.contrib.auth.models import AnonymousUser
from django.template.loader import render_to_string
from django.test import Client, RequestFactory

import brokle
from brokle.web import errors
from brokle.web.assets import Assets
from brokle.web.context import Shell

CSS = sorted((brokle.HOUSE / "static" / "css").glob("*.css"))
PHYSICAL = re.compile(
    r"(?<![\w-])(?:(?:margin|padding|border)-(?:left|right|top|bottom)|left|right|(?:min-|max-)?(?:width|height)(?!\s*:[^;{}]*\)\s*[{,]))\s*:"
)


def anonymous(path="/"):
    request = RequestFactory().get(path)
    request.user = AnonymousUser()
    return request


def test_an_unknown_page_answers_404_in_the_readers_language_without_a_database():
    client = Client(headers={"accept-language": "ar"})
    response = client.get("/nowhere/at.all/")
    html = response.content.decode()

    assert response.status_code == 404
    assert '<html lang="ar" dir="rtl" data-theme="system">' in html
    assert response["cache-control"] == "max-age=0, no-cache, no-store, must-revalidate, private"


def page_with(built):
    shell = Shell(language="en", theme="dark", csp_nonce="n0nce", path="/", assets=built)
    return render_to_string("errors/page.html", {"shell": shell, "status": 404, "title": "There is nothing here"})


def test_scripts_carry_the_nonce_of_the_request():
    built = Assets(
        style="/static/a.css",
        gateway_style="/static/w.css",
        gallery_style="/static/g.css",
        playground_style="/static/p.css",
        playground_script="/static/p.js",
        script="/static/a.js",
        preload={"en": ["/static/i.woff2"]},
        icons={},
    )
    html = page_with(built)

    assert '<script type="module" src="/static/a.js" nonce="n0nce"></script>' in html
    assert '<link rel="preload" href="/static/i.woff2" as="font" type="font/woff2" crossorigin>' in html
    assert " style=" not in html


def test_without_a_build_the_page_reads_and_says_the_mend():
    html = page_with(None)

    assert "<code>make assets</code>" in html
    assert "<h1>There is nothing here</h1>" in html


def test_too_many_requests_says_when_to_come_back():
    response = errors.too_many_requests(anonymous(), retry_after_s=12)

    assert (response.status_code, response["retry-after"]) == (429, "12")
    assert "Try again in 12 seconds." in response.content.decode()


def test_a_server_error_shows_the_request_id_and_sets_no_cookie():
    request = anonymous()
    request.request_id = "req_1"
    response = errors.server_error(request)

    assert response.status_code == 500
    assert "<code>req_1</code>" in response.content.decode()
    assert not request.META.get("CSRF_COOKIE")


def test_a_server_error_comes_out_even_when_templates_are_broken(settings, tmp_path):
    broken = tmp_path / "errors"
    broken.mkdir()
    (broken / "page.html").write_text("{% nonsense %}")
    settings.TEMPLATES = [{**settings.TEMPLATES[0], "DIRS": [tmp_path]}]
    response = errors.server_error(anonymous())

    assert response.status_code == 500
    assert "Something went wrong on our side" in response.content.decode()
    assert "nonsense" not in response.content.decode()


def test_the_gallery_does_not_exist_outside_development():
    assert Client().get("/dev/gallery").status_code == 404


@pytest.mark.parametrize("path", CSS, ids=lambda path: path.name)
def test_styles_use_logical_properties_only(path):
    lines = path.read_text(encoding="utf-8").splitlines()
    physical = [line.strip() for line in lines if PHYSICAL.search(line) and "@media" not in line]

    assert physical == []


def test_every_text_color_passes_aa_is_left_to_the_tokens():
    literal = [
        f"{path.name}: {match[0]}"
        for path in CSS
        if path.name != "tokens.css"
        for match in re.finditer(r"(?<![-\w])color:\s*(?:#|rgb|hsl|oklch)[^;]*", path.read_text(encoding="utf-8"))
    ]

    assert literal == []


def test_scripts_stay_small():
    lengths = {
        path.name: len(path.read_text(encoding="utf-8").splitlines())
        for path in (brokle.HOUSE / "static" / "js").glob("*.js")
    }

    assert {name: lines for name, lines in lengths.items() if lines >= 100} == {}
