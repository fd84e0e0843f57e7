"""A real Chromium on the real server: found by EARMARK_CHROMIUM, on the path, or installed by apt-get as root."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from chromium import ARGUMENTS, Running, Watch, find_chromium, open_label_page
from playwright.sync_api import Browser, BrowserContext, Page, sync_playwright
from workspaces import make_project

from labeler.service import Project


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
    made.set_default_timeout(60_000)  # seconds on a machine of one's own
    made.on("request", watch.request)
    made.on("console", watch.console)
    made.on("weberror", lambda error: watch.complaints.append(str(error.error)))
    yield made
    made.close()
    assert watch.outside() == []
    assert watch.complaints == []


@pytest.fixture
def page(context: BrowserContext, running: Running) -> Page:
    """The Label page of `running`, with its first clip on the screen."""
    return open_label_page(context, running)
