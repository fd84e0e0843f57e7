"""A real Chromium on the real server: found by EARMARK_CHROMIUM, on the path, or installed by apt-get as root."""

from __future__ import annotations

import os
import shutil
import subprocess
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Browser, BrowserContext, ConsoleMessage, Page, Request, sync_playwright
from workspaces import make_project

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


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    """One Chromium for all tests."""
    path = find_chromium()
    with sync_playwright() as playwright:
        launched = playwright.chromium.launch(executable_path=path, args=list(ARGUMENTS))
        yield launched
        launched.close()


@pytest.fixture
def serve() -> Iterator[Callable[[Project], Running]]:
    """Serve a project until the test ends."""
    running: list[Running] = []

    def start(project: Project) -> Running:
        running.append(Running(project))
        return running[-1]

    yield start
    for one in running:
        one.stop()


@pytest.fixture
def project(tmp_path: Path, speech_manifest: Path) -> Iterator[Project]:
    """36 clips of the tests' own speech; class keys 1 anger, 2 neutral, 3 sadness."""
    made = make_project(tmp_path / "workspace", speech_manifest, limit=36)
    yield made
    made.store.close()


@pytest.fixture
def running(project: Project, serve: Callable[[Project], Running]) -> Running:
    """`project`, served."""
    return serve(project)


class Watch:
    """What a context's pages asked for and complained about."""

    def __init__(self) -> None:
        self.requests: list[str] = []
        self.complaints: list[str] = []
        self.network_lost = False

    def request(self, request: Request) -> None:
        """Note a request."""
        self.requests.append(request.url)

    def console(self, message: ConsoleMessage) -> None:
        """Note a warning or an error, except a failed request where the test itself cut the connection."""
        if message.type in ("error", "warning") and not (self.network_lost and "Failed to load" in message.text):
            self.complaints.append(f"{message.type}: {message.text}")


@pytest.fixture
def watch() -> Watch:
    """What `context` has seen so far."""
    return Watch()


@pytest.fixture
def context(browser: Browser, watch: Watch, serve: object) -> Iterator[BrowserContext]:
    """A browser profile of its own, closed before the server stops.

    Fails the test for a request beyond loopback, a warning or error in the console, and an exception.
    """
    made = browser.new_context(viewport={"width": 1280, "height": 800})
    made.set_default_timeout(20_000)
    made.on("request", watch.request)
    made.on("console", watch.console)
    made.on("weberror", lambda error: watch.complaints.append(str(error.error)))
    yield made
    made.close()
    outside = [url for url in watch.requests if not url.startswith(("data:", "blob:")) and not _ours(url)]
    assert outside == []
    assert watch.complaints == []


def _ours(url: str) -> bool:
    return is_loopback(urlsplit(url).hostname)


@pytest.fixture
def page(context: BrowserContext, running: Running) -> Page:
    """The Label page of `running`, with its first clip on the screen."""
    return open_label_page(context, running)


def open_label_page(context: BrowserContext, running: Running) -> Page:
    """Open the Label page in a new tab and wait for its first clip."""
    opened = context.new_page()
    opened.goto(running.url)
    opened.wait_for_selector(READY)
    return opened
