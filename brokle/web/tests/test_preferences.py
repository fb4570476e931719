import pytest
from django.http import HttpResponse
from django.test import Client, RequestFactory

from brokle.web import views
from brokle.web.preferences import preferences


def ask(**cookies):
    request = RequestFactory().get("/", headers={"accept-language": cookies.pop("browser", "")})
    request.COOKIES.update(cookies)
    response = preferences(lambda _: HttpResponse())(request)
    return request.LANGUAGE_CODE, request.theme, response


def test_the_cookie_wins_over_the_browser():
    language, theme, response = ask(brokle_language="ar", brokle_theme="dark", browser="en-US,en")

    assert (language, theme) == ("ar", "dark")
    assert response["content-language"] == "ar"
    assert response["vary"] == "Accept-Language, Cookie"


@pytest.mark.parametrize(("browser", "language"), [("ar-SA,ar;q=0.9", "ar"), ("fr-FR", "en"), ("", "en")])
def test_without_a_cookie_the_browser_is_asked(browser, language):
    assert ask(browser=browser)[:2] == (language, "system")


def test_unknown_values_in_cookies_are_ignored():
    assert ask(brokle_language="tlh", brokle_theme="neon")[:2] == ("en", "system")


class Person:
    is_authenticated = True
    language, theme = "ar", "light"

    def save(self, update_fields):
        self.saved = update_fields


def test_a_person_without_cookies_gets_their_own_setting():
    request = RequestFactory().get("/")
    request.COOKIES["brokle_session"] = "one"
    request.user = Person()
    preferences(lambda _: HttpResponse())(request)

    assert (request.LANGUAGE_CODE, request.theme) == ("ar", "light")


def test_choosing_a_language_sets_the_cookie_and_goes_back():
    response = Client().post("/preferences/language", {"language": "ar", "next": "/acme/keys?q=1"})

    assert (response.status_code, response["location"]) == (302, "/acme/keys?q=1")
    cookie = response.cookies["brokle_language"]
    assert (cookie.value, cookie["samesite"], cookie["httponly"]) == ("ar", "Lax", True)


@pytest.mark.parametrize(
    "target", ["https://evil.example/", "//evil.example", "javascript:alert(1)", "", "/\\evil.example"]
)
def test_the_way_back_never_leaves_this_site(target):
    response = Client().post("/preferences/theme", {"theme": "dark", "next": target})

    assert response["location"] == "/"


def test_choosing_what_does_not_exist_changes_nothing():
    response = Client().post("/preferences/theme", {"theme": "neon"})

    assert response.status_code == 400
    assert "brokle_theme" not in response.cookies


def test_a_choice_without_the_forms_token_is_refused_with_a_page_that_says_what_to_do():
    response = Client(enforce_csrf_checks=True).post("/preferences/theme", {"theme": "dark"})

    assert response.status_code == 403
    assert "This page is out of date" in response.content.decode()


def test_a_choice_is_kept_with_the_person():
    request = RequestFactory().post("/preferences/language", {"language": "ar"})
    request.user = Person()
    views.choose_language(request)

    assert (request.user.language, request.user.saved) == ("ar", ["language"])
