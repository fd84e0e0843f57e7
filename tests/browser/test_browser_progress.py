"""The Progress page in a real browser: empty places, the curve that comes by itself, the worker, small screens."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from export_project import answer, publish, put_curve
from playwright.sync_api import BrowserContext, Page, expect

from db.clips import SetAside, clips, set_aside
from db.engine import now
from db.rounds import beat, put_artefact
from labeler.service import Project

pytestmark = pytest.mark.browser
expect.set_options(timeout=20_000)  # the page asks every two seconds, and a figure is drawn after that
SMALL = """() => [...document.querySelectorAll('.gradio-container *')]
  .filter((node) => [...node.childNodes].some((child) => child.nodeType === 3 && child.data.trim()))
  .filter((node) => node.checkVisibility() && parseFloat(getComputedStyle(node).fontSize) < 14)
  .map((node) => node.outerHTML.slice(0, 100))"""


@pytest.fixture
def progress(context: BrowserContext, project: Project, serve: Callable[[Project], Any]) -> Page:
    """The Progress page of a project that nobody has labelled."""
    page = context.new_page()
    page.goto(serve(project).url + "progress")
    page.wait_for_selector(".pg[aria-busy=false]")
    return page


def with_curve(project: Project, rounds: int = 7) -> None:
    """Some answers, and a curve of so many rounds."""
    for number, clip in enumerate(clips(project.store)[:9]):
        answer(project, clip.id, class_=("anger", "neutral", "sadness")[number % 3], decided_ms=2000)
    put_curve(project, [publish(project, labels=10 * (n + 1), seed=n) for n in range(rounds)])


def test_every_empty_place_says_why(progress: Page) -> None:
    expect(progress.locator("#pg-curve-note")).to_contain_text("The curve starts when 10 evaluation clips in 2 classes")
    expect(progress.locator(".pg-lead")).to_contain_text("There is no model yet. The worker is not running.")
    expect(progress.locator("#pg-worker-now")).to_contain_text("earmark worker")
    expect(progress.locator("#pg-classes-note")).to_contain_text("No clip is labelled yet")
    expect(progress.locator("#pg-map-note")).to_contain_text("No map yet")
    expect(progress.locator("#pg-alignment-note")).to_contain_text("Not measured yet")
    expect(progress.locator("#pg-rounds")).to_contain_text("No round yet")
    expect(progress.locator("#pg-ingest")).to_contain_text("36 clips found, 36 accepted")
    expect(progress.get_by_role("link", name="Curve as CSV")).to_be_hidden()
    assert progress.locator("h1").all_inner_texts() == ["Progress"]


def test_the_curve_comes_by_itself_and_survives_a_reload(progress: Page, project: Project) -> None:
    expect(progress.locator("#pg-curve .main-svg")).to_have_count(0)
    with_curve(project)
    dots = progress.locator("#pg-curve .scatterlayer .trace:last-child .point")
    expect(dots).to_have_count(7)
    expect(progress.locator(".pg-figures")).to_contain_text("0.90")
    expect(progress.locator(".pg-figures")).to_contain_text("0.80 to 1.00; 70 labels, 30 evaluation clips, round 7")
    expect(progress.locator(".pg-figures")).to_contain_text("+0.40")
    expect(progress.locator("#pg-recall .scatterlayer .trace")).to_have_count(3)
    expect(progress.locator("#pg-confusion .heatmaplayer .trace, #pg-confusion .heatmaplayer image")).not_to_have_count(
        0
    )
    expect(progress.locator("#pg-curve")).to_have_attribute(
        "aria-label", "UAR against labels, 7 rounds: now 0.90, 0.80 to 1.00, with 70 labels."
    )
    expect(progress.locator(".pg-rounds-table tbody tr")).to_have_count(7)
    progress.reload()
    expect(dots).to_have_count(7)


def test_the_curve_tells_its_rounds_and_gives_its_numbers(progress: Page, project: Project) -> None:
    with_curve(project)
    dot = progress.locator("#pg-curve .scatterlayer .trace:last-child .point").nth(3)
    expect(dot).to_be_visible()
    dot.scroll_into_view_if_needed()
    box = dot.bounding_box()
    assert box is not None
    progress.mouse.move(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2, steps=4)
    hover = progress.locator("#pg-curve .hoverlayer")
    expect(hover).to_contain_text("round 4: 40 labels")
    expect(hover).to_contain_text("fast round on mel, egemaps")
    expect(hover).to_contain_text("raw features")
    with progress.expect_download() as download:
        progress.get_by_role("link", name="Curve as CSV").click()
    assert download.value.suggested_filename == "curve.csv"
    assert len(download.value.path().read_text().splitlines()) == 8
    title = progress.locator("#pg-curve .xtitle")
    expect(title).to_have_text("labels that models train on")
    progress.get_by_label("minutes").check(force=True)
    expect(title).to_contain_text("minutes of listening")
    progress.reload()  # the choice is kept
    expect(title).to_contain_text("minutes of listening")


def test_nothing_is_drawn_again_that_has_not_changed(progress: Page, project: Project) -> None:
    with_curve(project)
    expect(progress.locator("#pg-curve .scatterlayer .trace:last-child .point")).to_have_count(7)
    expect(progress.locator("#pg-confusion .main-svg").first).to_be_visible()
    progress.evaluate(
        """() => {
          window.drawn = 0;
          for (const div of document.querySelectorAll('.pg-plot.js-plotly-plot')) {
            div.on('plotly_afterplot', () => window.drawn++);
          }
          window.touched = 0;
          new MutationObserver((list) => { window.touched += list.length; })
            .observe(document.querySelector('#pg-ingest'), {subtree: true, childList: true, characterData: true});
        }"""
    )
    before = progress.locator("#pg-classes").inner_text()
    answer(project, clips(project.store)[20].id, class_="sadness")
    progress.wait_for_function("before => document.querySelector('#pg-classes').innerText !== before", arg=before)
    assert progress.evaluate("[drawn, touched]") == [0, 0]


def test_the_worker_is_told_with_a_bar_and_its_errors_in_words(progress: Page, project: Project) -> None:
    beat(project.store, "w", state="working", step="computing features", done=9, total=36, error=None)
    expect(progress.locator("#pg-worker-now")).to_contain_text("Computing features (9 of 36")
    expect(progress.locator("#pg-worker-bar")).to_have_attribute("aria-valuenow", "25")
    beat(project.store, "w", state="failed", step=None, done=0, total=0, error="features: the disk is full")
    expect(progress.locator("#pg-worker-error")).to_have_text("features: the disk is full")
    expect(progress.locator(".pg-lead")).to_contain_text("The worker failed: features: the disk is full")
    expect(progress.locator("#pg-worker-bar")).to_be_hidden()


def test_what_was_set_aside_is_listed_with_its_reason(progress: Page, project: Project) -> None:
    items = [SetAside(1, "a/quiet.wav", None, None, "silent", "nothing to hear <script>", now())]
    set_aside(project.store, 1, items)
    expect(progress.locator("#pg-ingest")).to_contain_text("Set aside: 1 silent.")
    progress.get_by_text("Each file, with its reason").click()
    expect(progress.get_by_role("cell", name="nothing to hear <script>")).to_be_visible()


def test_the_map_plays_a_clip_when_it_is_clicked(progress: Page, project: Project) -> None:
    every = [clip.id for clip in clips(project.store)]
    details = {"clips": every, "x": [float(n % 6) for n in range(36)], "y": [float(n // 6) for n in range(36)]}
    put_artefact(project.store, "map", "k", "models/map", {**details, "about": "Principal components."})
    pairs = [{"views": "mel and egemaps", "before": 0.41, "after": 0.73, "shuffled": 0.12}]
    put_artefact(project.store, "alignment", "k", "models/k", {"pairs": pairs, "about": "PWCCA on 20 clips."})
    trained = {
        "history": [[0, 3.0, 3.2, 0.1], [1, 2.0, 2.5, 0.4]],
        "best_epoch": 1,
        "about": "Pre-trained on 29 clips.",
    }
    put_artefact(project.store, "pretraining", "k", "models/k", trained)
    tried = {"about": "Fine-tuned encoders are not in use.", "scratch": 0.71, "pretrained": 0.52}
    put_artefact(project.store, "slow_round", "k", "models/k", tried)
    expect(progress.locator("#pg-signs")).to_contain_text("better from scratch (UAR 0.71)")
    expect(progress.locator("#pg-alignment")).to_contain_text("mel and egemaps")
    expect(progress.locator("#pg-pretraining-note")).to_have_text("Pre-trained on 29 clips.")
    expect(progress.locator("#pg-pretraining .scatterlayer .trace")).to_have_count(3)
    expect(progress.locator("#pg-map-note")).to_contain_text("Principal components. A click on a dot plays its clip.")
    expect(progress.locator("#pg-map .main-svg").first).to_be_visible()
    progress.wait_for_function("document.querySelector('#pg-map').dataset.wired === 'yes'")
    with progress.expect_request(lambda request: "/media/" in request.url) as asked:
        progress.evaluate(
            """() => { const div = document.querySelector('#pg-map');
                 div.emit('plotly_click', {points: [{customdata: div.data[0].customdata[7]}]}); }"""
        )
    assert asked.value.url.endswith(f"/media/{every[7]}.wav")


def test_figures_follow_the_theme(progress: Page, project: Project) -> None:
    with_curve(project)
    tick = progress.locator("#pg-curve .xtick text").first
    expect(tick).to_be_visible()
    light = tick.evaluate("node => getComputedStyle(node).fill")
    progress.get_by_role("button", name="Change to the dark theme").click()
    progress.wait_for_function(
        "light => getComputedStyle(document.querySelector('#pg-curve .xtick text')).fill !== light", arg=light
    )


def test_it_fits_and_no_text_is_small(progress: Page, project: Project) -> None:
    with_curve(project)
    expect(progress.locator("#pg-curve .scatterlayer .trace:last-child .point")).to_have_count(7)
    expect(progress.locator("#pg-confusion .main-svg").first).to_be_visible()
    for width in (1280, 390):
        progress.set_viewport_size({"width": width, "height": 844})
        progress.wait_for_function(
            """() => [...document.querySelectorAll('.pg-plot')].every((div) => {
              const drawn = div.querySelector('.main-svg');
              return !drawn || Math.abs(drawn.clientWidth - div.clientWidth) <= 2; })"""
        )
        assert progress.evaluate("document.documentElement.scrollWidth") <= width
        assert progress.evaluate(SMALL) == []


def test_a_server_that_is_away_is_said_and_found_again(progress: Page, watch: Any) -> None:
    watch.network_lost = True
    progress.route("**/api/progress", lambda route: route.abort())
    expect(progress.locator(".pg-lead")).to_contain_text("The server does not answer")
    progress.unroute("**/api/progress")
    expect(progress.locator(".pg-lead")).to_contain_text("There is no model yet", timeout=15_000)
