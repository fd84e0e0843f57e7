"""The Export page in a real browser: cards, preview, the file that comes out, and what is said when it cannot."""

from __future__ import annotations

import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import audformat
import pandas as pd
import pytest
from export_project import answer_some, publish
from playwright.sync_api import BrowserContext, Page, expect

from db.labels import standing
from labeler.exporters import EXPORTERS, default_out
from labeler.service import Project

pytestmark = pytest.mark.browser
expect.set_options(timeout=20_000)  # the page asks every two seconds, and a figure is drawn after that


@pytest.fixture
def export_page(context: BrowserContext, project: Project, serve: Callable[[Project], Any]) -> Page:
    """The Export page of a project with eleven answers of two people and a model."""
    answer_some(project)
    publish(project)
    page = context.new_page()
    page.goto(serve(project).url + "export")
    page.wait_for_selector(".ex[aria-busy=false]")
    return page


def pick(page: Page, name: str) -> None:
    page.locator(f'.ex-pick:has(b:text-is("{name}")) input').check(force=True)


def test_cards_say_who_reads_each_format(export_page: Page) -> None:
    expect(export_page.locator(".ex-cards .ex-pick")).to_have_count(len(EXPORTERS))
    expect(export_page.locator(".ex-cards")).to_contain_text("audb and audEERING's tools")
    expect(export_page.locator(".ex-count")).to_have_text("11 rows on 9 clips: 9 labels, 1 unsure, 1 bad audio.")
    expect(export_page.locator(".ex-out")).to_contain_text("Left out: 27 clips: no answer yet.")
    expect(export_page.locator(".ex-preview tbody tr")).to_have_count(5)
    assert export_page.locator("h1").all_inner_texts() == ["Export"]


def test_a_csv_is_written_downloaded_and_read_back(export_page: Page, project: Project) -> None:
    export_page.get_by_role("button", name="Export", exact=True).click()
    link = export_page.get_by_role("link", name="Download")
    with export_page.expect_download() as download:
        link.click()
    frame = pd.read_csv(download.value.path(), dtype=str, keep_default_na=False)
    given = {(a.clip, a.annotator, a.class_ or "", a.request_id) for a in standing(project.store)}
    assert set(frame[["clip", "annotator", "label", "request_id"]].itertuples(index=False, name=None)) == given
    assert download.value.suggested_filename == "interviews-csv.csv"
    expect(export_page.locator(".ex-made tbody tr")).to_have_count(1)
    export_page.reload()
    expect(export_page.locator(".ex-made")).to_contain_text("interviews-csv.csv")


def test_options_change_rows_command_and_are_kept_over_a_reload(export_page: Page) -> None:
    pick(export_page, "Parquet")
    pick(export_page, "Consensus: unanimous")
    pick(export_page, "Add the model's predictions")
    expect(export_page.locator(".ex-command code")).to_contain_text(
        "--format parquet --consensus unanimous --predictions"
    )
    expect(export_page.locator(".ex-count")).to_contain_text("predictions")
    expect(export_page.locator(".ex-out")).to_contain_text("its annotators do not all give the same class")
    expect(export_page.locator(".ex-read")).to_contain_text("pandas.read_parquet")
    export_page.reload()
    expect(export_page.locator(".ex-command code")).to_contain_text(
        "--format parquet --consensus unanimous --predictions"
    )


def test_a_folder_comes_as_a_zip(export_page: Page, tmp_path: Path) -> None:
    pick(export_page, "audformat")
    expect(export_page.locator(".ex-holds")).to_contain_text("of audio")
    export_page.get_by_role("button", name="Export", exact=True).click()
    with export_page.expect_download() as download:
        export_page.get_by_role("link", name="Download as zip").click()
    with zipfile.ZipFile(download.value.path()) as archive:
        archive.extractall(tmp_path / "unpacked")
    database = audformat.Database.load(str(tmp_path / "unpacked" / "interviews-audformat"))
    assert set(database["emotion"].columns) == {"mara", "ben"}


def test_what_stands_in_the_way_is_said_in_words(export_page: Page, project: Project) -> None:
    out = default_out(project, "jsonl")
    out.parent.mkdir(exist_ok=True)
    out.write_text("somebody's notes")
    pick(export_page, "JSON lines")
    expect(export_page.locator(".ex-command code")).to_contain_text("--format jsonl")
    export_page.get_by_role("button", name="Export", exact=True).click()
    expect(export_page.locator(".ex-result .pg-error")).to_contain_text("holds something else")
    expect(export_page.get_by_role("button", name="Export", exact=True)).to_be_enabled()


def test_nothing_labelled_yet(context: BrowserContext, project: Project, serve: Callable[[Project], Any]) -> None:
    page = context.new_page()
    page.goto(serve(project).url + "export")
    expect(page.locator(".ex-count")).to_contain_text("There is nothing to export yet: no clip has a standing answer.")
    expect(page.get_by_role("button", name="Export", exact=True)).to_be_disabled()
    expect(page.locator(".ex-more")).to_contain_text("There is no model yet")
    expect(page.locator(".ex-made")).to_contain_text("None yet.")


def test_the_cards_are_worked_by_keys(export_page: Page) -> None:
    export_page.locator("input[value=csv]").focus()
    export_page.keyboard.press("ArrowRight")
    expect(export_page.locator(".ex-command code")).to_contain_text("--format jsonl")


def test_it_fits_and_targets_are_large(export_page: Page) -> None:
    for width in (1280, 390):
        export_page.set_viewport_size({"width": width, "height": 844})
        assert export_page.evaluate("document.documentElement.scrollWidth") <= width
        low = export_page.evaluate(
            """() => [...document.querySelectorAll('.ex button, .ex a, .ex .ex-pick')]
              .filter((node) => node.offsetParent)
              .map((node) => [node.textContent.trim().slice(0, 30), Math.round(node.getBoundingClientRect().height)])
              .filter(([, height]) => height < 44)"""
        )
        assert low == []
        small = export_page.evaluate(
            """() => [...document.querySelectorAll('.gradio-container *')]
              .filter((node) => [...node.childNodes].some((child) => child.nodeType === 3 && child.data.trim()))
              .filter((node) => node.checkVisibility() && parseFloat(getComputedStyle(node).fontSize) < 14)
              .map((node) => node.outerHTML.slice(0, 100))"""
        )
        assert small == []
