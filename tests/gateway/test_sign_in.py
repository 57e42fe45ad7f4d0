"""Signing in to the live page over HTTP; in a browser see test_reverse_proxy.py."""

from collections.abc import Iterator

import pytest

from tests.gateway.axe import violations
from tests.gateway.browser import Browser, require
from tests.gateway.processes import Gateway
from tests.servers import RedisProcess

TOKEN = "correct-horse-battery"
HTML = {"Accept": "text/html"}


@pytest.fixture(scope="module")
def locked(redis_server: RedisProcess) -> Iterator[Gateway]:
    with Gateway(redis_server.url, "--max-rate", "100000", token=TOKEN) as process:
        yield process


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_field_and_the_reason_of_a_refusal_are_accessible(locked: Gateway, scheme: str) -> None:
    require()
    with Browser() as browser:
        browser.size(390, 844, phone=True)
        browser.scheme(scheme)
        browser.open(locked.base)
        browser.wait(lambda: browser.focused() == "token")
        assert violations(browser) == []
        browser.find("#token").send_keys("wrong")
        browser.find("button").click()
        browser.wait(lambda: "not the token" in browser.text("#reason"))
        assert violations(browser) == []
        assert browser.js("return document.documentElement.scrollWidth") <= 390


def form(token: str) -> bytes:
    return f"token={token}".encode()


def test_a_browser_without_a_session_is_shown_the_field(locked: Gateway) -> None:
    answer = locked.get("/", headers=HTML)
    assert answer.status_code == 401
    assert answer.headers["www-authenticate"] == "Bearer", "no prompt of the browser's own"
    assert 'type="password"' in answer.text
    for path in ("/static/style.css", "/static/icon.svg"):
        assert locked.get(path).status_code == 200
    assert locked.get("/static/main.js").status_code == 401


def test_the_token_begins_a_session_which_ends_at_sign_out(locked: Gateway) -> None:
    bearer = {"Authorization": f"Bearer {TOKEN}"}
    assert not locked.get("/api/cameras", headers=bearer).json()["signed_in"]
    answer = locked.request("POST", "/sign-in", form(TOKEN))
    assert (answer.status_code, answer.headers["location"]) == (303, "./")
    cookie = answer.headers["set-cookie"]
    assert "HttpOnly" in cookie
    assert "SameSite=Strict" in cookie
    assert TOKEN not in cookie
    session = {"Cookie": cookie.partition(";")[0]}
    assert locked.get("/api/cameras", headers=session).json()["signed_in"]
    ended = locked.request("POST", "/sign-out")
    assert ended.status_code == 204
    assert "Max-Age=0" in ended.headers["set-cookie"]
    assert locked.get("/api/cameras").status_code == 401


@pytest.mark.parametrize(
    "token", ["", "wrong", TOKEN[:-1], "x" * 5000, "%ff", "%00", "&a&b&c=d&e=f"]
)
def test_another_token_begins_none(locked: Gateway, token: str) -> None:
    answer = locked.request("POST", "/sign-in", form(token))
    assert answer.status_code == 401
    assert "not the token" in answer.text
    assert "set-cookie" not in answer.headers


OTHER_COOKIES = [
    "emotion_session=",
    "emotion_session=wrong",
    "emotion_session=\xe9",
    f"emotion_session={'0' * 64}",
    "=;;",
    "a",
]


@pytest.mark.parametrize("cookie", OTHER_COOKIES)
def test_another_session_is_none(locked: Gateway, cookie: str) -> None:
    answer = locked.get("/api/cameras", headers={"Cookie": cookie.encode("latin-1")})
    assert answer.status_code == 401


def test_a_session_is_found_among_other_cookies(locked: Gateway) -> None:
    answer = locked.request("POST", "/sign-in", form(TOKEN))
    session = answer.headers["set-cookie"].partition(";")[0]
    # The second one is of a gateway in the folder above.
    for cookies in (f"theme=dark; {session}", f"{session}; emotion_session={'0' * 64}", session):
        found = locked.get("/api/cameras", headers={"Cookie": cookies})
        assert found.json()["signed_in"], cookies


HEADERS_OF_STRANGERS = {
    "quotes": "emotion_session=" + '"' + '\\"' * 29_000 + '"',
    "many": "emotion_session=;" * 3_400,
    "blanks": ";" + " " * 58_000 + "x",
}


@pytest.mark.parametrize("cookie", HEADERS_OF_STRANGERS.values(), ids=HEADERS_OF_STRANGERS)
def test_no_cookie_of_a_stranger_takes_the_gateway_long(locked: Gateway, cookie: str) -> None:
    before_s = locked.cpu_s()
    for _ in range(3):
        assert locked.get("/api/cameras", headers={"Cookie": cookie}).status_code == 401
    assert locked.cpu_s() - before_s < 2


def test_a_client_that_guesses_at_the_field_is_slowed_down(redis_server: RedisProcess) -> None:
    with Gateway(redis_server.url, "--max-rate", "0.001", token=TOKEN) as gateway:
        answers = [gateway.request("POST", "/sign-in", form("guess")).status_code for _ in "abc"]
        assert answers == [401, 429, 429]
