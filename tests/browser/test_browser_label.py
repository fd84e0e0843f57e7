"""Labelling by keys in a real browser: each press one label on its own clip, undo, reload."""

from __future__ import annotations

import pytest
from chromium import READY, Running, press, saved, shown, stored
from playwright.sync_api import Page, expect

from db.labels import label_counts, standing
from labeler.service import Project

pytestmark = pytest.mark.browser
AUDIO = "document.querySelector('#earmark-player audio')"


def test_keys_label_each_clip_once_and_move_on(page: Page, project: Project) -> None:
    given = [(press(page, key), key) for key in ("1", "2", "3", "u", "b")]
    saved(page)
    found = stored(project)
    assert len({clip for clip, _ in given}) == 5
    assert [(found[clip].action, found[clip].class_) for clip, _ in given] == [
        ("label", "anger"),
        ("label", "neutral"),
        ("label", "sadness"),
        ("unsure", None),
        ("bad_audio", None),
    ]
    assert label_counts(project.store).events == 5
    assert page.locator(".em-save").inner_text().startswith("All saved, ")
    expect(page.locator(".ep-recent li")).to_have_count(5)
    expect(page.locator(".ep-today")).to_contain_text("5 answers")


def test_the_time_is_counted_from_the_first_sound(page: Page, project: Project) -> None:
    page.wait_for_selector("#earmark-player[data-state=playing]")
    page.wait_for_function("Number(document.querySelector('.ep-at').textContent) >= 0.3")
    clip = press(page, "1")
    saved(page)
    answer = stored(project)[clip]
    assert answer.heard_ms is not None
    assert answer.decided_ms is not None
    assert answer.decided_ms >= answer.heard_ms >= 200


def test_a_class_button_does_what_its_key_does(page: Page, project: Project) -> None:
    before = shown(page)
    page.get_by_role("button", name="neutral").click()
    page.wait_for_function("before => document.querySelector('#earmark-player').dataset.clip !== before", arg=before)
    saved(page)
    assert stored(project)[before].class_ == "neutral"


def test_ten_presses_at_once_never_give_two_labels_to_a_clip(page: Page, project: Project) -> None:
    page.evaluate(
        """() => {
          for (let i = 0; i < 10; i++) {
            document.body.dispatchEvent(new KeyboardEvent('keydown', {key: '1', code: 'Digit1', bubbles: true}));
            document.body.dispatchEvent(new KeyboardEvent('keyup', {key: '1', code: 'Digit1', bubbles: true}));
          }
        }"""
    )
    for _ in range(10):
        page.keyboard.press("2")
    page.wait_for_selector(READY)
    saved(page)
    found = standing(project.store)
    assert len(found) == len({answer.clip for answer in found}) == label_counts(project.store).events
    assert found  # as many as were loaded; a press while nothing is on the screen goes nowhere
    assert shown(page) not in {answer.clip for answer in found}


def test_undo_goes_back_many_steps_and_shows_the_answer_before(page: Page, project: Project) -> None:
    given = [press(page, key) for key in ("1", "2", "3")]
    after = shown(page)
    for clip, name in zip(reversed(given), ("sadness", "neutral", "anger"), strict=True):
        page.keyboard.press("z")
        expect(page.locator("#earmark-player")).to_have_attribute("data-clip", clip)
        expect(page.locator(f"[data-class={name}]")).to_have_class("ep-former")
        expect(page.locator(".ep-reason")).to_contain_text(f"Your answer was: {name}")
    saved(page)
    assert standing(project.store) == []
    assert press(page, "3") == given[0]
    assert shown(page) == given[1]
    press(page, "3")
    press(page, "3")
    assert shown(page) == after
    saved(page)
    assert {answer.class_ for answer in standing(project.store)} == {"sadness"}
    assert len(standing(project.store)) == 3


def test_one_click_takes_back_an_answer_of_the_list(page: Page, project: Project) -> None:
    first = press(page, "1")
    second = press(page, "2")
    page.get_by_role("button", name="Take back anger").click()
    expect(page.locator("#earmark-player")).to_have_attribute("data-clip", first)
    expect(page.locator(".ep-recent li")).to_have_count(1)
    saved(page)
    assert set(stored(project)) == {second}


def test_a_reload_goes_on_at_the_same_clip_and_can_still_undo(page: Page, project: Project) -> None:
    given = [press(page, key) for key in ("1", "s", "2")]
    saved(page)
    on_screen = shown(page)
    page.reload()
    page.wait_for_selector(READY)
    assert shown(page) == on_screen
    expect(page.locator(".ep-recent li")).to_have_count(3)
    for clip in reversed(given):
        page.wait_for_selector(READY)
        page.keyboard.press("z")
        expect(page.locator("#earmark-player")).to_have_attribute("data-clip", clip)
    saved(page)
    assert standing(project.store, actions=("label", "skip")) == []


def test_repeats_and_modifiers_do_nothing(page: Page, project: Project) -> None:
    before = shown(page)
    page.evaluate(
        """() => {
          const send = (more) => document.body.dispatchEvent(
            new KeyboardEvent('keydown', {key: '1', code: 'Digit1', bubbles: true, ...more}));
          for (const name of ['repeat', 'ctrlKey', 'metaKey', 'altKey', 'isComposing']) send({[name]: true});
          send({key: 'U', code: 'KeyU', shiftKey: true});
        }"""
    )
    page.keyboard.press("x")
    assert shown(page) == before
    press(page, "1")
    saved(page)
    assert label_counts(project.store).events == 1


def test_space_plays_and_pauses_wherever_the_focus_is(page: Page, project: Project) -> None:
    player = page.locator("#earmark-player")
    page.keyboard.press("-")
    page.keyboard.press("-")
    for focus in ("[data-class=anger]", "[data-do=skip]", ".em-nav a >> nth=1", ".em-theme", ".ep-picture"):
        page.locator(focus).focus()
        page.keyboard.press("r")
        page.wait_for_function(f"{AUDIO}.currentTime > 0.05")
        page.keyboard.press("Space")
        expect(player).to_have_attribute("data-state", "paused")
    assert page.url.endswith("/")
    assert standing(project.store, actions=("label", "skip")) == []
    page.keyboard.press("Space")
    expect(player).to_have_attribute("data-state", "playing")
    expect(player).to_have_attribute("data-state", "ready")  # it ends
    page.keyboard.press("Space")  # and is played again
    expect(player).to_have_attribute("data-state", "playing")


def test_arrows_seek_and_speed_is_kept_in_the_browser(page: Page) -> None:
    page.keyboard.press("r")
    page.keyboard.press("Space")
    page.evaluate(f"{AUDIO}.currentTime = 0")
    page.keyboard.press("ArrowRight")
    assert page.evaluate(f"{AUDIO}.currentTime") == pytest.approx(0.5)
    page.keyboard.press("ArrowLeft")
    assert page.evaluate(f"{AUDIO}.currentTime") == 0
    for key in ("+", ".", "-"):
        page.keyboard.press(key)
    expect(page.locator(".ep-rate")).to_have_text("×1.25")
    press(page, "1")
    assert page.evaluate(f"{AUDIO}.playbackRate") == 1.25
    page.keyboard.press("a")
    page.reload()
    page.wait_for_selector("#earmark-player[data-state=ready]")
    expect(page.locator(".ep-rate")).to_have_text("×1.25")
    expect(page.locator("[data-do=autoplay]")).to_have_attribute("aria-pressed", "false")
    assert page.evaluate(f"{AUDIO}.paused")


def test_a_note_is_typed_freely_and_stored_with_the_answer(page: Page, project: Project) -> None:
    before = shown(page)
    page.keyboard.press("n")
    page.keyboard.type("1 laugh, maybe 2; zu bad ?")
    assert shown(page) == before
    page.keyboard.press("Escape")
    assert press(page, "2") == before
    press(page, "1")
    saved(page)
    notes = [(answer.class_, answer.note) for answer in standing(project.store)]
    assert notes == [("neutral", "1 laugh, maybe 2; zu bad ?"), ("anger", None)]


def test_the_list_of_keys_opens_and_no_key_labels_behind_it(page: Page, project: Project) -> None:
    page.keyboard.press("?")
    expect(page.locator(".ep-help")).to_be_visible()
    expect(page.locator(".ep-help")).to_contain_text("bad audio")
    page.keyboard.press("1")
    page.keyboard.press("Escape")
    expect(page.locator(".ep-help")).to_be_hidden()
    saved(page)
    assert standing(project.store) == []


def test_a_press_lights_its_button_for_a_moment(page: Page) -> None:
    lit = page.evaluate(
        """() => {
          document.body.dispatchEvent(new KeyboardEvent('keydown', {key: '2', code: 'Digit2', bubbles: true}));
          return [...document.querySelectorAll('.ep-lit')].map((button) => button.dataset.class);
        }"""
    )
    assert lit == ["neutral"]
    expect(page.locator(".ep-lit")).to_have_count(0)


def test_skipped_clips_come_back_last(page: Page, running: Running, project: Project) -> None:
    first = press(page, "s")
    for _ in range(35):
        press(page, "1")
    assert shown(page) == first
    page.keyboard.press("3")
    page.wait_for_selector("#earmark-player[data-state=empty]")
    expect(page.locator(".ep-message")).to_contain_text("All 36 clips are answered")
    saved(page)
    assert len(stored(project)) == 36
    page.keyboard.press("z")
    expect(page.locator("#earmark-player")).to_have_attribute("data-clip", first)
