"""The gateway in a folder behind a real nginx, configured as docs/gateway.md shows."""

import httpx
import redis

from tests.gateway.browser import Browser, require
from tests.gateway.clients import parse
from tests.gateway.feeder import Feeder, event, face, now_ms, publish, register
from tests.gateway.nginx import Nginx
from tests.gateway.processes import Gateway
from tests.servers import PATIENCE_S

TOKEN = "correct-horse-battery"


def test_a_person_signs_in_and_out_in_a_folder_behind_a_proxy(
    client: redis.Redis, redis_url: str
) -> None:
    """The pictures, the events and the minutes come through it too."""
    require()
    with (
        Gateway(redis_url, "--max-rate", "1000", token=TOKEN) as gateway,
        Nginx(gateway.port) as proxy,
        Feeder(redis_url, "lobby"),
        Browser() as browser,
    ):
        browser.open(proxy.base)
        browser.find("#token").send_keys("wrong")
        browser.find("button").click()
        browser.wait(lambda: "not the token" in browser.text("#reason"))
        browser.find("#token").send_keys(TOKEN)
        browser.find("button").click()
        browser.wait(lambda: browser.all(".box"))
        browser.wait(lambda: browser.text("#link") == "Connected")
        asked = browser.js("return performance.getEntriesByType('resource').map(e => e.name)")
        assert all(name.startswith(proxy.base) for name in asked), asked
        cookies = browser.driver.get_cookies()
        assert [(each["httpOnly"], each["sameSite"], each["path"]) for each in cookies] == [
            (True, "Strict", "/emotions")
        ]
        browser.js("location.hash = '#/lobby'")
        browser.wait(lambda: browser.text("#detail-title") == "lobby")
        link = str(browser.find(".exports .events.csv").get_attribute("href"))
        assert link.startswith(proxy.base)
        browser.click("#sign-out")
        browser.wait(lambda: browser.all("#token"))
        assert browser.driver.get_cookies() == []


def test_a_page_whose_session_is_over_shows_where_to_sign_in(
    client: redis.Redis, redis_url: str
) -> None:
    require()
    with Gateway(redis_url, token=TOKEN) as gateway, Browser() as browser:
        browser.open(gateway.base)
        browser.find("#token").send_keys(TOKEN)
        browser.find("button").click()
        browser.wait(lambda: browser.text("#link") == "Connected")
        browser.driver.delete_all_cookies()
        gateway.stop()
        gateway.start()
        browser.wait(lambda: browser.all("#token"))


def test_with_http_2_any_number_of_windows_is_open_at_once(
    client: redis.Redis, redis_url: str
) -> None:
    """With HTTP/1.1 the fourth does not load: each of the others keeps two of six connections."""
    require()
    with (
        Gateway(redis_url, "--max-rate", "1000", token=TOKEN) as gateway,
        Nginx(gateway.port, tls=True) as proxy,
        Feeder(redis_url, "lobby"),
        Browser("--ignore-certificate-errors") as browser,
    ):
        browser.open(proxy.base)
        browser.find("#token").send_keys(TOKEN)
        browser.find("button").click()
        browser.wait(lambda: browser.all(".box"))
        for _ in range(4):
            browser.driver.switch_to.new_window("window")
            browser.driver.get(proxy.base)
            browser.wait(lambda: browser.all(".box"))
        for window in browser.driver.window_handles:
            browser.driver.switch_to.window(window)
            assert not browser.js("return document.hidden")
            assert browser.text("#link") == "Connected"
        protocol = "return performance.getEntriesByType('navigation')[0].nextHopProtocol"
        assert browser.js(protocol) == "h2"


def test_events_pass_nginx_one_by_one(client: redis.Redis, redis_url: str) -> None:
    """Each arrives before the next is published, although the stream never ends."""
    headers = {"Authorization": f"Bearer {TOKEN}"}
    register(client, "lobby")
    with (
        Gateway(redis_url, token=TOKEN) as gateway,
        Nginx(gateway.port) as proxy,
        httpx.Client(headers=headers, timeout=PATIENCE_S, trust_env=False) as http,
        http.stream("GET", f"{proxy.base}api/events/stream?camera=lobby&kind=emotion") as answer,
    ):
        assert answer.status_code == 200
        messages, began_ms = parse(answer.iter_lines()), now_ms()
        for number in range(3):
            published = event("lobby", began_ms + number, face())
            publish(client, published)
            arrived = next(each for each in messages if each.name == "emotion")
            assert arrived.data["frame_id"] == published.frame_id


def test_the_folder_without_its_slash_leads_to_the_page(
    client: redis.Redis, redis_url: str
) -> None:
    with Gateway(redis_url, token=TOKEN) as gateway, Nginx(gateway.port) as proxy:
        answer = httpx.get(f"{proxy.root}/emotions", trust_env=False, timeout=PATIENCE_S)
        assert (answer.status_code, answer.headers["location"]) == (301, proxy.base)
