"""Every format holds the same, is read back by its consumer, and never touches what it did not make."""

from __future__ import annotations

import json
import tempfile
from collections import Counter
from collections.abc import Callable
from io import BytesIO
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import audformat
import datasets
import pandas as pd
import pyarrow.parquet as pq
import pytest
import soundfile
from export_project import KLASSES, Wanted, answer, answer_some, make_project, publish
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from db.clips import clips, sources
from labeler.errors import ExportError, UsageError
from labeler.exporters import EXPORTERS, RULES, export, preview
from labeler.exporters.rows import FIXED
from labeler.service import Project

Triple = tuple[str, str, str | None, str]  # clip, annotator, class, action
NASTY = ["anger, loud", 'say "no"', "=SUM(A1)", "NA", "001", "нейтрально 😐", "null", "<b>&amp;"]


def read_csv(path: Path) -> Counter[Triple]:
    frame = pd.read_csv(path, dtype=str, keep_default_na=False)
    return Counter((row.clip, row.annotator, row.label or None, row.action) for row in frame.itertuples())


def read_jsonl(path: Path) -> Counter[Triple]:
    lines = path.read_text(encoding="utf-8").splitlines()  # breaks at U+2028 too: the writer escapes it
    rows = [json.loads(line) for line in lines]
    return Counter((row["clip"], row["annotator"], row["label"], row["action"]) for row in rows)


def read_parquet(path: Path) -> Counter[Triple]:
    rows = pq.read_table(path).to_pylist()
    return Counter((row["clip"], row["annotator"], row["label"], row["action"]) for row in rows)


def read_audformat(path: Path) -> Counter[Triple]:
    database = audformat.Database.load(str(path))
    facts = database["files" if "files" in database.tables else "segments"].get()
    emotion, action = database["emotion"].get(), database["emotion.action"].get()
    out: Counter[Triple] = Counter()
    for rater in emotion.columns:
        for where in emotion.index:
            if not pd.isna(action.loc[where, rater]):
                label = emotion.loc[where, rater]
                shown = None if pd.isna(label) else str(label)
                out[(facts.loc[where, "clip"], rater, shown, action.loc[where, rater])] += 1
    return out


def read_huggingface(path: Path) -> Counter[Triple]:
    files = sorted(str(file) for file in (path / "data").glob("*.parquet"))
    loaded = datasets.Dataset.from_parquet(files, cache_dir=tempfile.mkdtemp())
    names = loaded.features["label"].names
    loaded = loaded.cast_column("audio", datasets.Audio(decode=False))
    for row in loaded:
        assert len(soundfile.read(BytesIO(row["audio"]["bytes"]))[0]) > 1000
    return Counter(
        (row["clip"], row["annotator"], None if row["label"] is None else names[row["label"]], row["action"])
        for row in loaded.remove_columns("audio")
    )


def read_labelstudio(path: Path) -> Counter[Triple]:
    out: Counter[Triple] = Counter()
    allowed = {
        c.get("value") for c in ElementTree.parse(path / "config.xml").iterfind("Choices[@name='emotion']/Choice")
    }
    for task in json.loads((path / "tasks.json").read_text(encoding="utf-8")):
        assert (path / task["data"]["audio"].removeprefix("/data/local-files/?d=")).is_file()
        for annotation in task["annotations"]:
            values = {
                r["from_name"]: next(iter(r["value"].values()))[0]
                for r in annotation["result"]
                if r["type"] != "number"
            }
            assert values.get("emotion") in allowed | {None}
            out[(task["data"]["clip"], values["annotator"], values.get("emotion"), values["answer"])] += 1
        for prediction in task["predictions"]:
            label = prediction["result"][0]["value"]["choices"][0]
            annotator = prediction["model_version"].replace("earmark round ", "model:")
            out[(task["data"]["clip"], annotator, label, "prediction")] += 1
    return out


READERS: dict[str, Callable[[Path], Counter[Triple]]] = {
    "csv": read_csv,
    "jsonl": read_jsonl,
    "parquet": read_parquet,
    "audformat": read_audformat,
    "huggingface": read_huggingface,
    "labelstudio": read_labelstudio,
}


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Project:
    made = make_project(tmp_path_factory.mktemp("exports"))
    answer_some(made)
    publish(made)
    return made


def gold(triples: Counter[Triple]) -> Counter[Triple]:
    """audformat calls the consensus `gold_standard`, as its users expect."""
    return Counter(
        {
            (c, "gold_standard" if a.startswith("consensus:") else a, k, what): n
            for (c, a, k, what), n in triples.items()
        }
    )


def test_every_format_has_a_reader_here() -> None:
    assert set(READERS) == set(EXPORTERS)


@pytest.mark.parametrize("predictions", [False, True])
@pytest.mark.parametrize("consensus", [None, *RULES])
def test_all_formats_hold_the_same(project: Project, tmp_path: Path, consensus: str | None, predictions: bool) -> None:
    found = {}
    for name, exporter in EXPORTERS.items():
        report = export(project, name, tmp_path / f"{name}{exporter.suffix}", consensus, predictions)
        found[name] = gold(READERS[name](report.path))
        assert sum(found[name].values()) == report.rows
    assert all(triples == found["csv"] for triples in found.values())
    actions = Counter(action for (_, _, _, action), count in found["csv"].items() for _ in range(count))
    assert actions["prediction"] == (4 if predictions else 0)  # 12 clips, 7 labelled, 1 with bad audio
    assert actions["label"] == {None: 9, "majority": 7, "unanimous": 6}[consensus]
    assert (actions["unsure"], actions["bad_audio"]) == (1, 1)


@pytest.mark.parametrize("format", EXPORTERS)
def test_the_same_store_gives_the_same_bytes(project: Project, tmp_path: Path, format: str) -> None:
    first, second = (export(project, format, tmp_path / name, None, True).path for name in ("first", "second"))
    if first.is_file():
        assert first.read_bytes() == second.read_bytes()
        return
    names = sorted(path.relative_to(first) for path in first.rglob("*") if path.is_file())
    assert names == sorted(path.relative_to(second) for path in second.rglob("*") if path.is_file())
    assert all((first / name).read_bytes() == (second / name).read_bytes() for name in names)


@pytest.mark.parametrize("format", EXPORTERS)
def test_hidden_truth_leaks_into_no_format(project: Project, tmp_path: Path, format: str) -> None:
    path = export(project, format, tmp_path / "out").path
    for file in [path] if path.is_file() else [file for file in path.rglob("*") if file.is_file()]:
        assert b"TRUTH" not in file.read_bytes()
    assert "TRUTH" not in str(preview(project, format).first)


def test_rows_have_the_documented_columns_and_the_manifests_own(project: Project, tmp_path: Path) -> None:
    frame = pd.read_parquet(export(project, "parquet", tmp_path / "p.parquet").path)
    assert list(frame.columns) == [*FIXED, "text", "session", "take"]
    assert frame["take"].tolist() == [3] * len(frame)
    assert frame["evaluation"].dtype == bool
    first = clips(project.store)[0]
    mine = frame[(frame["clip"] == first.id) & (frame.annotator == "ben")].iloc[0]
    assert (mine.path, mine.label, mine.confidence, mine.speaker) == (first.path, "anger", 0.5, "s0")
    assert mine.text == 'well, "no"\nthen'
    assert mine["at"].endswith("Z")


def test_csv_quotes_every_field_and_warns_of_formulas(project: Project, tmp_path: Path) -> None:
    report = export(project, "csv", tmp_path / "c.csv")
    text = report.path.read_text(encoding="utf-8")
    assert text.splitlines()[0].startswith('"clip","path","start"')
    assert '""quoted""\nnext line"' in text
    assert any("formula" in notice for notice in report.notices)


def test_a_manifest_column_called_like_ours_is_kept_beside_it(tmp_path: Path) -> None:
    project = make_project(
        tmp_path, Wanted(clips=3, extra={"round": "first", "audio": "x", "file": "y", "Label": "TRUTH"})
    )
    answer(project, clips(project.store)[0].id, class_="anger")
    frame = pd.read_json(export(project, "jsonl", tmp_path / "o.jsonl").path, lines=True)
    assert frame["manifest_round"].tolist() == ["first"]
    assert "Label" not in frame
    for format in EXPORTERS:
        assert READERS[format](export(project, format, tmp_path / f"again-{format}").path).total() == 1


@pytest.mark.parametrize("format", EXPORTERS)
def test_parts_of_a_recording_are_clips_of_their_own(tmp_path: Path, format: str) -> None:
    project = make_project(tmp_path, Wanted(clips=3, spans=True))
    for number, clip in enumerate(clips(project.store)):
        answer(project, clip.id, class_=KLASSES[number % 3])
    path = export(project, format, tmp_path / "out").path
    assert READERS[format](path).total() == 6
    if format == "audformat":
        database = audformat.Database.load(str(path))
        assert database["emotion"].is_segmented
        assert len(list(path.rglob("*.wav"))) == 3  # recordings are copied whole, segments point into them
    if format == "labelstudio":
        assert {round(soundfile.info(file).duration, 2) for file in path.rglob("*.wav")} == {0.4}


def test_audformat_loads_as_it_was_saved_and_is_portable(project: Project, tmp_path: Path) -> None:
    path = export(project, "audformat", tmp_path / "db", None, True).path
    database = audformat.Database.load(str(path))
    again = tmp_path / "again"
    database.save(str(again))
    assert audformat.Database.load(str(again)) == database
    assert database.is_portable
    assert all((path / file).is_file() for file in database.files)
    assert database.raters["mara"].type == "human"
    assert database.raters["model:1"].type == "machine"
    assert list(database.schemes["emotion"].labels) == list(KLASSES)
    assert set(database["files"].df["speaker"]) == {"s0", "s1", "s2"}


def test_audiofolder_rows_match_its_files(project: Project, tmp_path: Path) -> None:
    path = export(project, "huggingface", tmp_path / "hf", None, True).path
    evaluation = {clip.id: bool(clip.evaluation) for clip in clips(project.store)}
    for split in ("train", "test", "predicted"):
        table = pq.read_table(path / "audiofolder" / split / "metadata.parquet")
        features = datasets.Features.from_arrow_schema(table.schema)
        assert features["label"] == datasets.ClassLabel(names=list(KLASSES))
        named = {row["file_name"] for row in table.to_pylist()}
        assert named == {file.name for file in (path / "audiofolder" / split).iterdir()} - {"metadata.parquet"}
        if split != "predicted":
            assert {evaluation[row["clip"]] for row in table.to_pylist()} == {split == "test"}
    head = (path / "README.md").read_text(encoding="utf-8").split("---")[1]
    assert 'path: "data/train-*.parquet"' in head


def test_the_readme_of_the_dataset_leads_datasets_to_its_splits(project: Project, tmp_path: Path) -> None:
    path = export(project, "huggingface", tmp_path / "hf", None, True).path
    for folder, files in ((path, 1), (path / "audiofolder", 2)):
        builder = datasets.load_dataset_builder(str(folder), cache_dir=str(tmp_path / "cache"))
        assert set(builder.config.data_files) == {"train", "test", "predicted"}
        assert all(len(names) >= files for names in builder.config.data_files.values())
        assert ("Parquet" if files == 1 else "AudioFolder") in {kind.__name__ for kind in type(builder).__mro__}


@pytest.mark.parametrize("format", EXPORTERS)
@settings(max_examples=6, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    data=st.data(),
    classes=st.lists(
        st.one_of(st.sampled_from(NASTY), st.text(min_size=1, max_size=12)), min_size=2, max_size=3, unique=True
    ),
)
def test_nasty_names_survive_or_are_refused(
    tmp_path_factory: pytest.TempPathFactory, format: str, data: st.DataObject, classes: list[str]
) -> None:
    from db.errors import UnusableAnswer

    folder = tmp_path_factory.mktemp("nasty")
    letters = st.characters(exclude_characters="\0/", exclude_categories=["Cs"])
    name = data.draw(st.text(letters, min_size=1, max_size=20)).strip(".") + "x.wav"
    note = data.draw(st.text(st.characters(exclude_categories=["Cs"]), max_size=20))
    try:
        project = make_project(folder, Wanted(classes=classes, clips=2, names=[f"a/{name}"], name=classes[0]))
    except UnusableAnswer:
        return  # the project itself does not take such a class
    first, second = clips(project.store)
    answer(project, first.id, class_=classes[0], note=note)
    answer(project, second.id, "ben", class_=classes[1])
    wanted = Counter({(first.id, "mara", classes[0], "label"): 1, (second.id, "ben", classes[1], "label"): 1})
    path = export(project, format, folder / "out").path
    assert READERS[format](path) == wanted
    if format == "csv":
        back = pd.read_csv(path, dtype=str, keep_default_na=False)
        assert (back["note"][0], back["path"][0]) == (note, f"a/{name}")


@pytest.mark.parametrize("format", EXPORTERS)
@pytest.mark.parametrize("name", ["a\ud800b", "", "a\0b"])
def test_a_class_that_no_file_can_hold_is_refused(format: str, name: str) -> None:
    from labeler.exporters.base import unwritable

    assert unwritable(["anger", name]) or EXPORTERS[format].refuses(["anger", name])


def test_class_names_that_one_format_would_change_are_refused_there() -> None:
    assert "line feed" in (EXPORTERS["csv"].refuses(["a\rb"]) or "")
    assert "XML" in (EXPORTERS["labelstudio"].refuses(["a\nb"]) or "")
    assert "space" in (EXPORTERS["labelstudio"].refuses([" a"]) or "")
    for exporter in EXPORTERS.values():
        assert exporter.refuses(NASTY) is None


@pytest.mark.parametrize("format", EXPORTERS)
def test_an_export_replaces_its_own_and_nothing_else(project: Project, tmp_path: Path, format: str) -> None:
    exporter = EXPORTERS[format]
    out = tmp_path / f"out{exporter.suffix}"
    export(project, format, out)
    export(project, format, out, "majority")
    before = READERS[format](out)
    assert any("consensus" in annotator or annotator == "gold_standard" for _, annotator, _, _ in before)
    other = tmp_path / "other"
    if exporter.suffix:
        other.write_text("path,speaker\nmy only manifest,1\n")
    else:
        other.mkdir()
        (other / "thesis.txt").write_text("mine")
    with pytest.raises(ExportError, match="something else"):
        export(project, format, other)
    assert "m" in (other if exporter.suffix else other / "thesis.txt").read_text()
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted([out.name, "other"])  # no temporary left


@pytest.mark.parametrize("format", EXPORTERS)
def test_a_failure_half_way_leaves_the_old_export(
    project: Project, tmp_path: Path, format: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = tmp_path / f"out{EXPORTERS[format].suffix}"
    export(project, format, out)
    before = READERS[format](out)

    def write(rows: Any, store: Any, target: Path, tick: Any, write: Any = type(EXPORTERS[format]).write) -> None:
        write(EXPORTERS[format], rows, store, target, tick)
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(EXPORTERS[format], "write", write)
    with pytest.raises(ExportError, match="No space left"):
        export(project, format, out)
    assert READERS[format](out) == before
    assert [path.name for path in tmp_path.iterdir()] == [out.name]


def test_lost_audio_is_named_with_the_way_out(tmp_path: Path) -> None:
    project = make_project(tmp_path, Wanted(clips=4))
    for clip in clips(project.store):
        answer(project, clip.id, class_="anger")
    root = sources(project.store)[0].root
    (root / "audio/02.wav").unlink()
    for format in ("audformat", "huggingface", "labelstudio"):
        with pytest.raises(ExportError, match=r"1 of 4 files.*02\.wav.*earmark relocate"):
            export(project, format, tmp_path / format)
    assert export(project, "csv", tmp_path / "c.csv").rows == 4


def test_an_export_of_audio_never_lands_in_a_scanned_folder(tmp_path: Path) -> None:
    project = make_project(tmp_path, Wanted(clips=2, kind="folder"))
    answer(project, clips(project.store)[0].id, class_="anger")
    root = sources(project.store)[0].root
    with pytest.raises(ExportError, match="next scan"):
        export(project, "audformat", root / "export")
    assert export(project, "csv", root / "labels.csv").rows == 1


def test_what_is_asked_wrongly_is_answered_with_what_is_allowed(project: Project, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="allowed: csv, jsonl, parquet, audformat, huggingface, labelstudio"):
        export(project, "xlsx", tmp_path / "x")
    with pytest.raises(UsageError, match="allowed: majority, unanimous"):
        export(project, "csv", tmp_path / "x", "median")
    with pytest.raises(ExportError, match="is a folder"):
        export(project, "csv", tmp_path)


def test_an_empty_project_says_what_to_do(tmp_path: Path) -> None:
    project = make_project(tmp_path, Wanted(clips=2))
    with pytest.raises(ExportError, match="Label a clip first"):
        export(project, "csv", tmp_path / "c.csv")
    answer(project, clips(project.store)[0].id, class_="anger")
    with pytest.raises(ExportError, match="no predictions yet"):
        export(project, "csv", tmp_path / "c.csv", predictions=True)
    assert not (tmp_path / "c.csv").exists()


def test_a_tie_goes_to_the_answer_given_first(tmp_path: Path) -> None:
    project = make_project(tmp_path, Wanted(clips=2))
    first, second = (clip.id for clip in clips(project.store))
    answer(project, first, "zoe", class_="sadness")
    answer(project, first, "adam", class_="anger")
    for annotator, class_ in (("zoe", "sadness"), ("adam", "anger"), ("mara", "anger")):
        answer(project, second, annotator, class_=class_)
    frame = pd.read_csv(export(project, "csv", tmp_path / "c.csv", "majority").path, dtype=str)
    assert frame.label.tolist() == ["sadness", "anger"]
    assert [float(share) for share in frame.confidence] == [0.5, pytest.approx(2 / 3, abs=1e-6)]
    report = export(project, "csv", tmp_path / "u.csv", "majority")
    assert [str(item) for item in report.left_out] == []


def test_the_preview_says_what_the_export_holds(project: Project) -> None:
    for format in EXPORTERS:
        shown = preview(project, format, "unanimous", True)
        assert (shown.rows, shown.clips) == (12, 11)
        assert [str(item) for item in shown.left_out] == ["1 clip: its annotators do not all give the same class"]
        assert f"--format {format} --consensus unanimous --predictions" in shown.command
        assert shown.refused is None
