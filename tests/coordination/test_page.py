"""The page in a real browser."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from .browser import Browser, Tab, browser
from .processes import Service, ask, service, take
from .test_service import in_background

ROWS = "[...document.querySelectorAll('#devices tbody tr')]"


@pytest.fixture(scope="module")
def chromium(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    with browser(tmp_path_factory.mktemp("chromium")) as running:
        yield running


@pytest.fixture
def running(tmp_path: Path) -> Iterator[Service]:
    with service("--store", f"sqlite:{tmp_path / 'locks.db'}") as started:
        yield started


@pytest.fixture
def tab(chromium: Browser, running: Service) -> Iterator[Tab]:
    """The page, live; at the end it has complained of nothing, and asked nobody else for anything."""
    opened = chromium.tab()
    opened.open(f"{running.url}/")
    opened.run("localStorage.clear(); sessionStorage.clear()")
    live(opened)
    yield opened
    assert opened.complaints == []
    assert all(f"127.0.0.1:{running.port}/" in url or url.startswith("data:") for url in opened.requested)
    opened.close()


def live(tab: Tab) -> None:
    tab.wait("document.getElementById('connection').dataset.state === 'live'")


def row(tab: Tab, device: str, holds: str) -> None:
    """Wait until the row of a device shows something."""
    tab.wait(f"{ROWS}.some(r => r.dataset.device === {device!r} && r.innerText.includes({holds!r}))")


def focused(tab: Tab) -> str:
    text: str = tab.run("document.activeElement.innerText || document.activeElement.id")
    return text


def test_it_shows_holders_waiters_leases_and_changes(tab: Tab, running: Service) -> None:
    key = take(running.url, user="node", kind="QUEUE_EXECUTING", reason="mesh", timeout=90)["lock_key"]
    row(tab, "hci0", "node")
    row(tab, "hci0", "mesh")
    tab.wait(f"/1:[0-2]\\d left/.test({ROWS}[0].innerText)")
    tab.wait(f"/1:1\\d left/.test({ROWS}[0].innerText) || /1:2[0-7] left/.test({ROWS}[0].innerText)")  # it counts
    waiting = in_background(running.url, user="later", wait=60)
    row(tab, "hci0", "later")
    ask(f"{running.url}/api/lock/release", {"device_name": "hci0", "lock_key": key})
    waiting.result(30)
    tab.wait(f"{ROWS}[0].querySelector('.who')?.textContent === 'later'")
    actions = tab.wait("[...document.querySelectorAll('#log li')].map(l => l.dataset.action).join() || null")
    assert actions == "acquired,released,acquired"


def test_two_browsers_see_one_change(tab: Tab, running: Service, tmp_path: Path) -> None:
    with browser(tmp_path / "second") as second:
        other = second.tab()
        other.open(f"{running.url}/")
        live(other)
        take(running.url, "hci7", user="somebody", timeout=300)
        for each in (tab, other):
            row(each, "hci7", "somebody")
        # One takes it away by its page, and the other sees it.
        tab.run(f"{ROWS}[0].querySelector('button').click()")
        tab.run("document.getElementById('confirm-user').value = 'ann'")
        tab.run("document.getElementById('confirm-yes').click()")
        for each in (tab, other):
            row(each, "hci7", "free")
            each.wait("document.querySelector('#log li').innerText.includes('ann')")
        other.close()


def test_a_force_release_is_asked_about_first_and_can_be_left(tab: Tab, running: Service) -> None:
    take(running.url, user="node")
    row(tab, "hci0", "node")
    tab.run(f"{ROWS}[0].querySelector('button').click()")
    assert tab.run("document.getElementById('confirm').open") is True
    assert "Take hci0 away from node?" in tab.run("document.getElementById('confirm').innerText")
    assert focused(tab) == "Leave it"
    tab.press("Enter")
    tab.wait("!document.getElementById('confirm').open")
    assert ask(f"{running.url}/api/locks/device/hci0")[1]["locked"] is True


def test_it_can_be_used_with_the_keyboard_alone(tab: Tab, running: Service) -> None:
    tab.press("Tab")
    assert focused(tab).startswith("Take a device")
    tab.press("Enter")
    tab.type("hci3")
    for text in (None, "ann", None, "new antenna"):
        tab.press("Tab")
        if text:
            tab.type(text)
    tab.press("Enter")
    row(tab, "hci3", "ann")
    held = ask(f"{running.url}/api/locks/device/hci3")[1]["holder"]
    assert (held["lock_type"], held["reason"]) == ("MAINTENANCE", "new antenna")
    tab.wait(f"{ROWS}[0].querySelector('button')?.innerText.startsWith('Release')")
    while not focused(tab).startswith("Release"):
        tab.press("Tab")
    tab.press("Enter")
    assert focused(tab) == "Leave it"
    tab.press("Tab", "Enter")
    row(tab, "hci3", "free")
    released = ask(f"{running.url}/api/locks/status")[1]["recent"][-1]
    assert released["action"] == "released"  # with its own key


def test_escape_leaves_a_dialog(tab: Tab, running: Service) -> None:
    tab.run("document.getElementById('take').click()")
    tab.press("Escape")
    tab.wait("!document.getElementById('take-dialog').open")


def test_what_is_shown_is_never_read_as_html(tab: Tab, running: Service) -> None:
    evil = "<img src=x onerror=\"document.title='evil'\"><script>document.title='evil'</script>"
    take(running.url, user=evil[:128], reason=evil, plan_uid=evil[:128])
    row(tab, "hci0", "<img")
    assert tab.run("document.querySelectorAll('main img, main script').length") == 0
    assert tab.run("document.title") == "Device coordination"


def test_a_refusal_is_said(tab: Tab, running: Service) -> None:
    take(running.url, user="node", kind="MAINTENANCE")
    tab.run("document.getElementById('take').click()")
    for name, value in (("device", "hci0"), ("user", "ann"), ("minutes", "5")):
        tab.run(f"document.getElementById('take-{name}').value = '{value}'")
    tab.press("Enter")
    tab.wait("document.getElementById('notice').innerText.includes('held by node')")


def test_it_fits_a_phone(tab: Tab, running: Service) -> None:
    take(running.url, "pi4:hci0-with-a-rather-long-name-that-needs-to-wrap", user="u" * 100, reason="r" * 200)
    row(tab, "pi4:hci0-with-a-rather-long-name-that-needs-to-wrap", "uuu")
    for width in (360, 320):
        tab.resize(width, 740)
        tab.wait(f"document.documentElement.scrollWidth <= {width}")
    assert tab.run(f"{ROWS}[0].querySelector('button').getBoundingClientRect().height") >= 36


def test_it_is_dark_where_that_is_liked(tab: Tab) -> None:
    def brightness() -> int:
        return sum(tab.run("getComputedStyle(document.body).backgroundColor.match(/\\d+/g).map(Number)"))

    tab.resize(1200, 800, dark=False)
    light = brightness()
    tab.resize(1200, 800, dark=True)
    assert brightness() < light / 3


def test_it_comes_back_after_the_service_was_gone(chromium: Browser, tmp_path: Path) -> None:
    store = f"sqlite:{tmp_path / 'own.db'}"
    with service("--store", store) as first:
        tab = chromium.tab()
        tab.open(f"{first.url}/")
        live(tab)
        take(first.url, timeout=300, user="node")
        row(tab, "hci0", "node")
        port = first.port
        first.kill()
        tab.wait("document.getElementById('connection').dataset.state === 'lost'")
    with service("--store", store, port=port) as second:
        live(tab)
        take(second.url, "hci1", user="other")
        row(tab, "hci1", "other")
        assert tab.run("document.querySelectorAll('#log li').length") == 2
    tab.close()


def test_it_asks_for_the_token(chromium: Browser, tmp_path: Path) -> None:
    token = "a-token-that-is-long-enough"
    (tmp_path / "token").write_text(token)
    arguments = ("--store", f"sqlite:{tmp_path / 'locks.db'}", "--token-file", str(tmp_path / "token"))
    with service(*arguments) as guarded:
        tab = chromium.tab()
        tab.open(f"{guarded.url}/")
        tab.wait("document.getElementById('token-dialog').open")
        for text in ("wrong", token):
            tab.run("document.getElementById('token').value = ''")
            tab.run("document.getElementById('token').focus()")
            tab.type(text)
            tab.press("Enter")
            tab.wait(
                "document.getElementById('connection').dataset.state === 'live'"
                if text == token
                else "document.getElementById('token-dialog').open"
            )
        body = {"device_name": "hci0", "lock_type": "MAINTENANCE", "user_id": "ann"}
        ask(f"{guarded.url}/api/lock/request", body, Authorization=f"Bearer {token}")
        row(tab, "hci0", "ann")
        assert token not in tab.run("location.href")
        tab.close()
