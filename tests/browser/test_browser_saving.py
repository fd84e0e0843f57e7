"""Nothing is lost and nothing doubled: lost connections, lost replies, reloads, a dead server, refusals, two tabs."""

from __future__ import annotations

import json
import re
from uuid import uuid4

import pytest
from chromium import READY, Running, Watch, open_label_page, press, saved, shown, stored
from playwright.sync_api import BrowserContext, Page, Route, expect

from db.labels import label_counts, standing
from labeler import service
from labeler.service import Project

pytestmark = pytest.mark.browser


def test_answers_given_without_a_connection_are_saved_when_it_is_back(
    context: BrowserContext, page: Page, project: Project, watch: Watch
) -> None:
    watch.network_lost = True
    page.wait_for_function("performance.getEntriesByType('resource').filter(e => e.name.includes('.wav')).length >= 5")
    context.set_offline(True)
    given = [press(page, key) for key in ("1", "2", "3")]
    line = page.locator(".em-save")
    expect(line).to_have_text(re.compile(r"3 answers not saved yet, trying again"))
    expect(page.locator("#earmark-player")).to_have_attribute("data-unsaved", "3")
    assert standing(project.store) == []
    context.set_offline(False)
    expect(line).to_have_text(re.compile(r"All saved, \d\d:\d\d"))
    assert [stored(project)[clip].class_ for clip in given] == ["anger", "neutral", "sadness"]
    assert label_counts(project.store).events == 3


def test_an_answer_whose_receipt_was_lost_is_not_doubled(page: Page, project: Project, watch: Watch) -> None:
    watch.network_lost = True
    lost: list[str] = []

    def swallow(route: Route) -> None:
        route.fetch()
        lost.append(str(route.request.post_data))
        route.abort()

    page.route("**/api/labels", swallow, times=2)
    clip = press(page, "1")
    saved(page)
    assert len(lost) == 2
    assert len(set(lost)) == 1
    assert label_counts(project.store).events == 1
    assert stored(project)[clip].class_ == "anger"


def test_unsaved_answers_survive_a_reload(page: Page, project: Project, watch: Watch) -> None:
    watch.network_lost = True
    page.route("**/api/labels", lambda route: route.abort())
    given = [press(page, "1"), press(page, "2")]
    page.keyboard.press("z")
    expect(page.locator("#earmark-player")).to_have_attribute("data-unsaved", "3")
    page.reload()
    page.wait_for_selector(READY)
    expect(page.locator("#earmark-player")).to_have_attribute("data-unsaved", "3")
    expect(page.locator(".ep-recent li")).to_have_count(1)
    assert shown(page) != given[0]
    page.goto(page.url + "progress")  # another page sends them too
    expect(page.locator(".em-save")).to_have_text(re.compile("3 answers not saved yet"))
    page.unroute("**/api/labels")
    expect(page.locator(".em-save")).to_have_text(re.compile("All saved, "))
    assert {clip: answer.class_ for clip, answer in stored(project).items()} == {given[0]: "anger"}
    assert label_counts(project.store).events == 3


def test_a_server_that_dies_and_comes_back_gets_every_answer(
    page: Page, running: Running, project: Project, watch: Watch
) -> None:
    watch.network_lost = True
    page.wait_for_function("performance.getEntriesByType('resource').filter(e => e.name.includes('.wav')).length >= 5")
    running.stop()
    given = [press(page, "3"), press(page, "2")]
    expect(page.locator(".em-save")).to_have_text(re.compile("2 answers not saved yet, trying again"))
    expect(page.locator(".em-trouble")).to_contain_text("The server does not answer. Answers are kept")
    running.start()
    saved(page)
    assert [stored(project)[clip].class_ for clip in given] == ["sadness", "neutral"]
    expect(page.locator(".em-trouble")).to_be_empty(timeout=30_000)


def _reply(page: Page, status: int, reason: str) -> None:
    """Let the next answer be replied to with this status, without reaching the server."""
    reply = {"status": status, "content_type": "application/json", "body": json.dumps({"reason": reason})}
    page.route("**/api/labels", lambda route: route.fulfill(**reply), times=1)


def test_a_server_in_trouble_is_asked_again(page: Page, project: Project, watch: Watch) -> None:
    watch.network_lost = True
    given = []
    for status in (500, 503, 429, 421):
        _reply(page, status, f"trouble {status}")
        given.append(press(page, "1"))
        expect(page.locator(".em-save")).to_have_text("1 answer not saved yet, trying again")
        expect(page.locator(".em-trouble")).to_contain_text(f"Trouble {status}.")
        saved(page)
    assert list(stored(project)) == given
    assert label_counts(project.store).events == 4


def test_a_refused_answer_leaves_the_outbox_and_stays_in_sight(page: Page, project: Project, watch: Watch) -> None:
    watch.network_lost = True
    refused = page.locator(".em-refused")
    given = []
    for number, status in enumerate((404, 409, 422), start=1):
        _reply(page, status, f"no good {status}")
        given.append(press(page, "1"))
        expect(refused.locator("summary")).to_have_text(re.compile(f"^{number} answers? refused"))
        saved(page)
    expect(page.locator(".ep-recent li")).to_have_count(0)
    page.reload()
    page.wait_for_selector(READY)
    refused.locator("summary").click()
    expect(refused.locator("li").first).to_contain_text(f"anger for clip {given[0]}: no good 404")
    for _ in given:
        refused.get_by_role("button").first.click()
    expect(refused).to_be_hidden()
    assert standing(project.store) == []


def test_an_undo_that_another_tab_was_quicker_with_is_refused_in_words(
    page: Page, project: Project, watch: Watch
) -> None:
    watch.network_lost = True
    clip = press(page, "1")
    saved(page)
    request = stored(project)[clip].request_id
    undo = {"request_id": str(uuid4()), "clip": clip, "action": "undo", "undoes": request}
    assert service.answer(project, "mara", undo)[0] == 201
    page.keyboard.press("z")
    expect(page.locator(".em-refused summary")).to_have_text("1 answer refused")


def test_two_tabs_never_show_the_same_clip(
    context: BrowserContext, page: Page, running: Running, project: Project
) -> None:
    other = open_label_page(context, running)
    seen = []
    for _ in range(4):
        seen += [press(page, "1"), press(other, "2")]
    saved(page)
    saved(other)
    assert len(set(seen)) == 8
    assert {clip: answer.class_ for clip, answer in stored(project).items()} == {
        clip: ("anger", "neutral")[place % 2] for place, clip in enumerate(seen)
    }
    assert label_counts(project.store).events == 8


def test_answers_for_another_project_wait_for_their_own_server(
    context: BrowserContext, page: Page, running: Running, project: Project, watch: Watch
) -> None:
    """The same corpus in another workspace, served at the same address: its answers are its own."""
    watch.network_lost = True
    page.route("**/api/labels", lambda route: route.abort())
    press(page, "1")
    running.stop()
    running.annotator = "tom"
    running.start()
    page.unroute("**/api/labels")
    expect(page.locator(".em-trouble")).to_contain_text("Another project is open at this address")
    assert label_counts(project.store).events == 0
    running.stop()
    running.annotator = "mara"
    running.start()
    saved(page)
    assert [answer.annotator for answer in standing(project.store)] == ["mara"]
