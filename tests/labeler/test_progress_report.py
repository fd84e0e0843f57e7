"""What the Progress page says, from real stores: numbers, and words for every empty place."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from export_project import KLASSES, Wanted, answer, answer_some, make_project, publish, put_curve
from starlette.testclient import TestClient

from db.clips import SetAside, add_source, clips, set_aside
from db.engine import now
from db.labels import label_counts, standing
from db.rounds import beat, put_artefact
from labeler.service import Project
from labeler.service.coverage import curve_empty, pace
from labeler.service.progress_report import ProgressReader, progress
from labeler.web.http import http_app


@pytest.fixture
def project(tmp_path: Path) -> Iterator[Project]:
    made = make_project(tmp_path, Wanted(clips=60, speakers=6, share=0.4))
    yield made
    made.store.close()


@pytest.fixture
def client(project: Project) -> Iterator[TestClient]:
    with TestClient(http_app(project, "mara"), base_url="http://localhost:7860") as found:
        yield found


def evaluation(project: Project) -> list[str]:
    return [clip.id for clip in clips(project.store) if clip.evaluation]


def test_an_empty_curve_says_what_it_waits_for(project: Project) -> None:
    reader = ProgressReader(project)
    assert "10 evaluation clips in 2 classes are labelled: 10 to go." in reader.read()["curve_empty"]
    apart = evaluation(project)
    for clip in apart[:6]:
        answer(project, clip, class_="anger")
    answer(project, apart[6])  # unsure: measures nothing
    assert "4 to go" in reader.read()["curve_empty"]
    for clip in apart[7:10]:
        answer(project, clip, class_="anger")
    answer(project, apart[10], class_="anger")
    assert "so far all of them are anger" in reader.read()["curve_empty"]
    answer(project, apart[11], class_="sadness")
    assert "first model comes" in reader.read()["curve_empty"]
    publish(project)
    assert "draws the curve next" in reader.read()["curve_empty"]


def test_a_project_that_can_never_measure_says_so(tmp_path: Path) -> None:
    small = make_project(tmp_path / "small", Wanted(clips=8))
    assert "has only 2 of them" in progress(small)["curve_empty"]
    none = make_project(tmp_path / "none", Wanted(clips=8, share=0.0))
    assert "evaluation share" in progress(none)["curve_empty"]


def test_clips_still_being_read(tmp_path: Path) -> None:
    project = make_project(tmp_path, Wanted(clips=4))
    add_source(project.store, tmp_path, "folder", str(tmp_path / "more"))
    found = progress(project)
    assert found["ingest"]["scanning"]
    assert [source["scanned_at"] is None for source in found["ingest"]["sources"]] == [False, True]


def test_no_clip_at_all() -> None:
    from db.clips import ClipCounts

    assert "No clip has been read yet" in curve_empty([], [], ClipCounts(0, 0, 0, True, {}), None)


def test_the_curve_and_what_it_rests_on(project: Project) -> None:
    rounds = [publish(project, labels=10 * (n + 1), seed=n) for n in range(8)]
    put_curve(project, rounds)
    found = progress(project)
    assert found["curve_empty"] is None
    assert [point["labels"] for point in found["curve"]] == [10, 20, 30, 40, 50, 60, 70, 80]
    assert (found["now"]["round"], found["now"]["uar"]) == (8, 0.9)
    assert found["gain"] == {"labels": 50, "before": 0.6, "now": 0.9}
    assert [one["round"] for one in found["rounds"]] == [8, 7, 6, 5, 4, 3, 2, 1]
    assert found["rounds"][0]["because"].startswith("raw features")


def test_a_point_on_too_few_answers_is_not_shown(project: Project) -> None:
    from dataclasses import replace

    from db.rounds import curve, replace_curve

    put_curve(project, [publish(project)])
    (point,) = curve(project.store)
    replace_curve(project.store, [replace(point, details={**point.details, "evaluation": 9})])
    found = progress(project)
    assert (found["curve"], found["now"]) == ([], None)
    assert found["curve_empty"]


def test_spent_and_covered_are_counted(project: Project) -> None:
    answer_some(project)
    found = progress(project)
    counted = label_counts(project.store)
    assert found["spent"]["standing"] == counted.standing == 11
    assert found["spent"]["left"] == 200 - 11
    assert found["coverage"]["unsure"] == found["coverage"]["bad_audio"] == 1
    by_class = {one["name"]: one["training"] + one["evaluation"] for one in found["coverage"]["classes"]}
    given = [a.class_ for a in standing(project.store) if a.class_]
    assert by_class == {name: given.count(name) for name in KLASSES}
    assert sum(one["answered"] for one in found["coverage"]["speakers"]) == 9
    assert sum(one["clips"] for one in found["coverage"]["speakers"]) == 60


def test_the_pace_leaves_pauses_out() -> None:
    from types import SimpleNamespace

    began = datetime(2026, 1, 1)
    times = [0, 10, 20, 30, 40, 4000, 4010]
    given: list[Any] = [SimpleNamespace(annotator="mara", at=began + timedelta(seconds=t)) for t in times]
    assert pace(given) == pytest.approx(6.0)
    assert pace(given[:3]) is None
    assert pace([]) is None


def test_worker_and_import_report(project: Project) -> None:
    assert progress(project)["worker"]["state"] == "absent"
    details = {"scan 1": {"notices": ["Both label and emotion are there; label is used."]}, "loss": 1.5}
    beat(project.store, "w", state="failed", step=None, done=0, total=0, error="no such model", details=details)
    items = [
        SetAside(1, f"bad{n}.wav", None, None, kind, reason, now())
        for n, (kind, reason) in enumerate([("silent", "nothing to hear"), ("too_short", "0.1 s long")])
    ]
    set_aside(project.store, 1, items)
    found = progress(project)
    assert found["worker"]["error"] == "no such model"
    assert found["worker"]["notices"] == ["Both label and emotion are there; label is used."]
    assert found["worker"]["details"] == {"loss": 1.5}
    assert found["ingest"]["by_kind"] == {"silent": 1, "too_short": 1}
    assert [item["reason"] for item in found["ingest"]["files"]] == ["nothing to hear", "0.1 s long"]
    assert (found["ingest"]["usable"], found["ingest"]["set_aside"]) == (60, 2)


def test_artefacts_fill_their_places(project: Project, client: TestClient) -> None:
    answer(project, clips(project.store)[0].id, class_="anger")
    ids = [clip.id for clip in clips(project.store)]
    spots = [float(n) for n in range(len(ids))]
    put_artefact(project.store, "map", "k", "models/map.npz", {"clips": ids, "x": spots, "y": spots, "about": "UMAP."})
    pairs = [{"views": "mel, egemaps", "before": 0.4, "after": 0.7, "shuffled": 0.1}]
    put_artefact(project.store, "alignment", "k", "models/k", {"pairs": pairs, "about": "PWCCA."})
    history = [[0, 3.0, 3.2, 0.1], [1, 2.0, 2.5, 0.4]]
    for key, epoch in (("old", 0), ("new", 1)):
        details = {"history": history, "best_epoch": epoch, "about": f"Pre-trained, {key}."}
        put_artefact(project.store, "pretraining", key, "models/k", details)
    put_artefact(project.store, "slow_round", "k", "models/k", {"about": "Fine-tuned encoders are in use."})
    put_artefact(project.store, "context", "k", "models/k", {"about": "The dialogue around a clip is in use (gru)."})
    found = client.get("/api/progress").json()
    assert found["context"]["about"] == "The dialogue around a clip is in use (gru)."
    assert found["map"]["about"] == "UMAP."
    assert [trace["name"] for trace in found["map"]["figure"]["data"]] == ["not labelled", "anger"]
    assert found["alignment"]["pairs"] == pairs
    assert found["pretraining"]["about"] == "Pre-trained, new."
    assert [trace["y"] for trace in found["pretraining"]["figure"]["data"]] == [[3.0, 2.0], [3.2, 2.5], [0.1, 0.4]]
    assert found["slow_round"]["about"] == "Fine-tuned encoders are in use."


def test_a_watching_page_reads_what_is_new_and_nothing_else(project: Project, client: TestClient) -> None:
    first = client.get("/api/progress")
    etag = first.headers["etag"]
    assert client.get("/api/progress", headers={"If-None-Match": etag}).status_code == 304
    answer(project, clips(project.store)[0].id, class_="anger")
    second = client.get("/api/progress", headers={"If-None-Match": etag})
    assert second.status_code == 200
    assert second.json()["spent"]["standing"] == 1
    put_curve(project, [publish(project, labels=1)])
    third = client.get("/api/progress", headers={"If-None-Match": second.headers["etag"]}).json()
    assert third["figures"]["labels"]["data"]
    assert "curve" not in third  # the figures have it


def test_hidden_truth_is_on_no_page(project: Project, client: TestClient) -> None:
    answer_some(project)
    assert "TRUTH" not in client.get("/api/progress").text
    assert "TRUTH" not in client.get("/api/export/preview?format=csv").text


def test_the_figures_numbers_are_to_be_had_as_csv(project: Project, client: TestClient) -> None:
    from io import StringIO

    assert client.get("/api/progress/curve.csv").status_code == 404
    assert "waits for" in client.get("/api/progress/confusion.csv").json()["reason"]
    put_curve(project, [publish(project, labels=10 * (n + 1), seed=n) for n in range(3)])
    reply = client.get("/api/progress/curve.csv")
    assert reply.headers["content-disposition"] == 'attachment; filename="curve.csv"'
    frame = pd.read_csv(StringIO(reply.text))
    assert frame["labels"].tolist() == [10, 20, 30]
    assert frame["recall anger"].tolist() == [0.4, 0.5, 0.6]
    counts = pd.read_csv(StringIO(client.get("/api/progress/confusion.csv").text), index_col=0)
    assert counts.loc["anger", "model says anger"] == 6
    assert counts.to_numpy().sum() == 3 * (6 + 2 + 2)
