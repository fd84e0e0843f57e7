"""What the Label page looks like: empty places, refused sound, small screens, themes, accessibility, memory."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest
from chromium import READY, Running, Watch, press, saved, shown, stored
from playwright.sync_api import BrowserContext, Page, expect
from workspaces import make_project

from db.clips import clips, finish_scan
from db.rounds import Suggestion, beat, publish_suggestions, set_notice
from labeler.service import Project

pytestmark = pytest.mark.browser


def test_a_browser_that_refuses_sound_shows_how_to_start(context: BrowserContext, running: Running) -> None:
    context.add_init_script(
        """const play = HTMLMediaElement.prototype.play;
        window.refusals = 1;
        HTMLMediaElement.prototype.play = function () {
          const refused = new DOMException('a gesture first', 'NotAllowedError');
          return window.refusals-- > 0 ? Promise.reject(refused) : play.call(this);
        };"""
    )
    page = context.new_page()
    page.goto(running.url)
    start = page.get_by_role("button", name="Press Space to start")
    expect(start).to_be_visible()
    page.keyboard.press("Space")
    expect(page.locator("#earmark-player")).to_have_attribute("data-state", "playing")
    expect(start).to_be_hidden()


def test_clips_appear_by_themselves_while_the_folder_is_read(
    context: BrowserContext, tmp_path: Path, speech_manifest: Path, serve: Callable[[Project], Running]
) -> None:
    project = make_project(tmp_path / "workspace", speech_manifest, limit=0, scanned=False)
    beat(project.store, "w", state="working", step="reading clips", done=0, total=9, error=None)
    page = context.new_page()
    page.goto(serve(project).url)
    player = page.locator("#earmark-player")
    expect(player).to_have_attribute("data-state", "empty")
    expect(page.locator(".ep-message")).to_contain_text("Reading the clips")
    expect(page.locator(".ep-model")).to_have_text("none yet; reading clips")
    make_project(tmp_path / "workspace", speech_manifest, limit=3)
    page.wait_for_selector(READY)
    assert shown(page) in {clip.id for clip in clips(project.store)}


def test_a_project_without_a_usable_clip_says_so(
    context: BrowserContext, tmp_path: Path, speech_manifest: Path, serve: Callable[[Project], Running]
) -> None:
    project = make_project(tmp_path / "workspace", speech_manifest, limit=0)
    finish_scan(project.store, 1, 0.2, 0)
    page = context.new_page()
    page.goto(serve(project).url)
    expect(page.locator(".ep-message")).to_contain_text("There is no clip to label")


def test_a_clip_whose_file_has_gone_can_be_marked_and_passed(page: Page, project: Project, watch: Watch) -> None:
    watch.network_lost = True
    gone = shown(page)
    reply = {"status": 410, "content_type": "application/json", "body": '{"reason": "there is no such file"}'}
    page.route("**/media/*.wav", lambda route: route.fulfill(**reply))
    page.reload()
    expect(page.locator(".ep-message")).to_contain_text("This clip cannot be heard: there is no such file")
    page.unroute("**/media/*.wav")
    page.keyboard.press("b")
    page.wait_for_function("gone => document.querySelector('#earmark-player').dataset.clip !== gone", arg=gone)
    saved(page)
    assert stored(project)[gone].action == "bad_audio"


def test_a_suggestion_is_shown_on_wish_and_that_is_stored(
    context: BrowserContext, project: Project, serve: Callable[[Project], Running]
) -> None:
    pool = [clip.id for clip in clips(project.store) if not clip.evaluation]
    publish_suggestions(
        project.store,
        [
            Suggestion(clip, rank, "the model is unsure about it", "margin", "sadness", 0.5)
            for rank, clip in enumerate(pool)
        ],
    )
    page = context.new_page()
    page.goto(serve(project).url)
    page.wait_for_selector(READY)
    expect(page.locator(".ep-reason")).to_have_text("the model is unsure about it")
    assert "sadness" not in page.locator(".ep-why").inner_text()
    page.keyboard.press("h")
    expect(page.locator(".ep-suggestion")).to_have_text("The model would say: sadness")
    first = press(page, "1")
    expect(page.locator(".ep-suggestion")).to_be_empty()
    second = press(page, "1")
    saved(page)
    assert (stored(project)[first].suggestion_shown, stored(project)[second].suggestion_shown) == (True, False)
    assert stored(project)[first].suggested_class == "sadness"


def test_notices_stand_on_every_page_until_they_are_over(page: Page, project: Project, running: Running) -> None:
    set_notice(project.store, "oracle", "A simulated annotator is labelling.")
    for path in ("", "progress", "export"):
        page.goto(running.url + path)
        expect(page.locator(".em-notices")).to_have_text("A simulated annotator is labelling.")
    set_notice(project.store, "oracle", None)
    expect(page.locator(".em-notices")).to_be_empty(timeout=15_000)


def test_the_theme_is_kept_from_page_to_page(page: Page, running: Running) -> None:
    html = page.locator("html")
    expect(html).to_have_attribute("data-theme", "light")
    page.get_by_role("button", name="Change to the dark theme").click()
    expect(html).to_have_attribute("data-theme", "dark")
    page.goto(running.url + "progress")
    expect(html).to_have_attribute("data-theme", "dark")
    expect(page.locator("body")).to_have_class("dark")


def test_a_small_screen_has_it_all_in_reach(page: Page) -> None:
    page.set_viewport_size({"width": 390, "height": 844})
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    assert page.evaluate("document.querySelector('.em-bar').getBoundingClientRect().height") <= 100
    places = page.evaluate(
        """() => [...document.querySelectorAll('#earmark-player button, .em-bar a, .em-bar button')]
          .filter((node) => node.offsetParent && !node.closest('dialog'))
          .map((node) => { const {width, height} = node.getBoundingClientRect();
                           return [node.textContent.trim(), Math.round(width), Math.round(height)]; })"""
    )
    assert [place for place in places if place[2] < 44 or place[1] < 44] == []
    buttons = [page.locator("[data-class]").nth(place).bounding_box() for place in range(3)]
    assert all(buttons)
    left, right, below = (box["x"] for box in buttons if box)
    assert left == below < right
    line = page.locator(".ep-line")
    expect(line).to_contain_text("0 today")
    expect(page.locator(".ep-side")).to_be_hidden()
    line.click()
    expect(page.locator(".ep-side")).to_be_visible()


def test_no_text_is_smaller_than_14_pixels(page: Page) -> None:
    press(page, "1")
    small = page.evaluate(
        """() => [...document.querySelectorAll('.gradio-container *')]
          .filter((node) => [...node.childNodes].some((child) => child.nodeType === 3 && child.data.trim()))
          .filter((node) => node.checkVisibility() && parseFloat(getComputedStyle(node).fontSize) < 14)
          .map((node) => node.outerHTML.slice(0, 100))"""
    )
    assert small == []


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_axe_finds_nothing(page: Page, theme: str) -> None:
    axe = Path(os.environ.get("EARMARK_AXE", "node_modules/axe-core/axe.min.js"))
    if not axe.is_file():
        pytest.skip("no axe-core: npm install axe-core, or EARMARK_AXE=/path/to/axe.min.js")
    page.emulate_media(color_scheme=theme)  # type: ignore[arg-type]
    press(page, "1")
    page.keyboard.press("z")
    page.keyboard.press("n")
    page.add_script_tag(path=str(axe))
    for width in (1280, 390):
        page.set_viewport_size({"width": width, "height": 844})
        found = page.evaluate("axe.run(document)")["violations"]
        assert [(one["id"], [node["html"][:120] for node in one["nodes"]]) for one in found] == []


def test_memory_stays_flat_over_many_clips(
    context: BrowserContext, tmp_path: Path, speech_manifest: Path, serve: Callable[[Project], Running]
) -> None:
    context.add_init_script(
        """window.living = new Set();
        const make = URL.createObjectURL, revoke = URL.revokeObjectURL;
        URL.createObjectURL = (blob) => { const url = make.call(URL, blob); window.living.add(url); return url; };
        URL.revokeObjectURL = (url) => { window.living.delete(url); revoke.call(URL, url); };
        let audios = 0;
        const create = document.createElement.bind(document);
        document.createElement = (name, ...rest) => { if (name === 'audio') audios++; return create(name, ...rest); };
        Object.defineProperty(window, 'audios', {get: () => audios});"""
    )
    project = make_project(tmp_path / "workspace", speech_manifest, limit=60)
    page = context.new_page()
    page.goto(serve(project).url)
    page.wait_for_selector(READY)
    for number in range(50):
        press(page, "123"[number % 3])
    # Two objects a clip: the one on the screen, four after it, two before it, one on its way.
    assert page.evaluate("living.size") <= 16
    assert page.evaluate("audios") <= 8
