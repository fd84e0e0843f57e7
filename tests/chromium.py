"""What the browser tests drive: Chromium, the running application, and the Label page as a person uses it."""

from __future__ import annotations

import os
import shutil
import subprocess
import threading
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import BrowserContext, ConsoleMessage, Page, Request, expect

from db.labels import StandingAnswer, standing
from labeler.service import Project
from labeler.web.guard import is_loopback
from labeler.web.server import Server, listen, make_server

NAMES = ("chromium", "chromium-browser", "google-chrome")
ARGUMENTS = (
    "--no-sandbox",
    "--disable-dev-shm-usage",
    "--autoplay-policy=no-user-gesture-required",
    "--disable-background-networking",
    "--disable-component-update",
)
READY = "#earmark-player:is([data-state=playing], [data-state=ready])"
ANSWERABLE = "#earmark-player:is([data-state=playing], [data-state=paused], [data-state=ready])"


def find_chromium() -> str:
    """Return the browser's path; skips the test where there is none and none can be installed."""
    given = os.environ.get("EARMARK_CHROMIUM")
    if given:
        if not Path(given).is_file():
            pytest.skip(f"EARMARK_CHROMIUM names no file: {given}")
        return given
    found = next(filter(None, map(shutil.which, NAMES)), None)
    if found is None and os.geteuid() == 0 and shutil.which("apt-get"):
        subprocess.run(["apt-get", "install", "--yes", "--quiet", "chromium"], capture_output=True, check=False)
        found = shutil.which("chromium")
    if found is None:
        pytest.skip("no Chromium: set EARMARK_CHROMIUM, or install chromium (as root, apt-get install does it)")
    return found


class Running:
    """The application of one project on a port of its own, in a thread; it can be stopped and started again."""

    def __init__(self, project: Project, annotator: str = "mara") -> None:
        self.project = project
        self.annotator = annotator
        self.port = 0
        self._server: Server | None = None
        self._thread: threading.Thread | None = None
        self.start()

    @property
    def url(self) -> str:
        """The Label page."""
        return f"http://127.0.0.1:{self.port}/"

    def start(self) -> None:
        """Serve, on the same port as before if there was one; returns when requests are accepted."""
        from labeler.web.app import build

        listener = listen(port=self.port)
        self.port = listener.getsockname()[1]
        started = threading.Event()
        self._server = make_server(build(self.project, self.annotator), lambda _: started.set())
        self._thread = threading.Thread(target=self._server.run, kwargs={"sockets": [listener]}, daemon=True)
        self._thread.start()
        assert started.wait(60), "the server did not start within a minute"

    def stop(self) -> None:
        """Stop serving; open connections are cut."""
        assert self._server is not None
        assert self._thread is not None
        self._server.should_exit = True
        self._thread.join(20)


class Watch:
    """What a context's pages asked for and complained about."""

    def __init__(self) -> None:
        self.requests: list[str] = []
        self.complaints: list[str] = []
        self.network_lost = False

    def outside(self) -> list[str]:
        """What was asked of anybody but this machine."""
        urls = [url for url in self.requests if not url.startswith(("data:", "blob:"))]
        return [url for url in urls if not is_loopback(urlsplit(url).hostname)]

    def request(self, request: Request) -> None:
        """Note a request."""
        self.requests.append(request.url)

    def console(self, message: ConsoleMessage) -> None:
        """Note a warning or an error, except a failed request where the test itself cut the connection."""
        if message.type in ("error", "warning") and not (self.network_lost and "Failed to load" in message.text):
            self.complaints.append(f"{message.type}: {message.text}")


def open_label_page(context: BrowserContext, running: Running) -> Page:
    """Open the Label page in a new tab and wait for its first clip."""
    opened = context.new_page()
    opened.goto(running.url)
    opened.wait_for_selector(READY)
    return opened


def shown(page: Page) -> str:
    """The clip on the screen."""
    return str(page.get_attribute("#earmark-player", "data-clip"))


def press(page: Page, key: str) -> str:
    """Press a key that moves on; returns the clip that was on the screen, once another one is."""
    page.wait_for_selector(ANSWERABLE)  # a press while a clip's sound is loading goes nowhere
    before = shown(page)
    page.keyboard.press(key)
    page.wait_for_function(
        "before => { const player = document.querySelector('#earmark-player').dataset;"
        " return player.clip !== before && ['playing', 'ready'].includes(player.state); }",
        arg=before,
    )
    return before


def saved(page: Page) -> None:
    """Wait until the server has everything."""
    expect(page.locator("#earmark-player")).to_have_attribute("data-unsaved", "0")


def stored(project: Project) -> dict[str, StandingAnswer]:
    """The answers that stand, by clip."""
    return {answer.clip: answer for answer in standing(project.store)}
