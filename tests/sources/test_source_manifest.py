"""Manifests: round trips, and everything that can be wrong with them."""

from __future__ import annotations

import csv
import io
import json
import math
from pathlib import Path
from typing import Any

import pandas
import pyarrow
import pyarrow.parquet
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from pipelines.errors import PipelineError
from pipelines.sources import Listing, open_listing

OFTEN = settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


def write(folder: Path, text: str | bytes, name: str = "manifest.csv") -> Path:
    path = folder / name
    path.write_bytes(text.encode() if isinstance(text, str) else text)
    return path


def reasons(listing: Listing) -> dict[str, str]:
    return dict(listing.refused)


def test_columns_are_read_and_the_others_kept(tmp_path: Path) -> None:
    path = write(
        tmp_path,
        "path,speaker,emotion,dialogue,turn,start,end,text,valence\n"
        'a/b.wav,03,anger,d1,2,0.5,1.75,"well, ""no""",0.10\n',
    )
    (row,) = open_listing(path).rows
    assert (row.path, row.speaker, row.label, row.dialogue, row.turn) == ("a/b.wav", "03", "anger", "d1", 2)
    assert (row.start, row.end, row.text, row.extra) == (0.5, 1.75, 'well, "no"', {"valence": "0.10"})


def test_label_wins_over_emotion_with_a_notice(tmp_path: Path) -> None:
    listing = open_listing(write(tmp_path, "path,emotion,label\na.wav,joy,fear\n"))
    assert listing.classes == ("fear",)
    assert any("'label' is used" in notice for notice in listing.notices)
    assert listing.rows[0].extra == {"emotion": "joy"}


@pytest.mark.parametrize(
    "written",
    ["../x.wav", "/etc/passwd", "a/../../x.wav", "sub/link.wav", "linked/secret.wav", "", "   ", "nan", "."],
)
def test_paths_never_leave_the_folder(tmp_path: Path, written: str) -> None:
    root = tmp_path / "in"
    (root / "sub").mkdir(parents=True)
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "secret.wav").touch()
    (root / "sub" / "link.wav").symlink_to(tmp_path / "out" / "secret.wav")
    (root / "linked").symlink_to(tmp_path / "out", target_is_directory=True)
    listing = open_listing(write(root, f'path,label\nok.wav,joy\n"{written}",joy\n'))
    assert [row.path for row in listing.rows] == ["ok.wav"]
    assert [where for where, _ in listing.refused] == ["row 2 (line 3)"]


def test_absolute_paths_into_the_folder_become_relative(tmp_path: Path) -> None:
    listing = open_listing(write(tmp_path, f"path\n{tmp_path}/a/b.wav\n"))
    assert [row.path for row in listing.rows] == ["a/b.wav"]


def test_backslashes_and_composed_letters_find_their_file(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "é.wav").touch()  # e + combining accent, as macOS writes it
    listing = open_listing(write(tmp_path, "path\na\\é.wav\na/é.wav\n"))
    assert listing.rows[-1].path == "a/é.wav"


def test_each_bad_row_is_refused_with_its_reason_and_the_rest_goes_on(tmp_path: Path) -> None:
    text = b"""path,start,end,turn,label
good.wav,,,,joy
short.wav,1,2
long.wav,1,2,3,joy,more
trailing.wav,1,2,3,joy,,
end.wav,2,1,,joy
start.wav,minus,1,,joy
negative.wav,-1,1,,joy
nan.wav,nan,1,,joy
inf.wav,0,inf,,joy
turn.wav,0,1,1.5,joy
good.wav,,,,fear
bytes.wav,0,1,1,\xff
"open.wav,0,1,1,joy
"quoted" tail.wav,0,1,1,joy

last.wav,0,1,1.0,joy
"""
    listing = open_listing(write(tmp_path, text))
    assert [row.path for row in listing.rows] == ["good.wav", "trailing.wav", "last.wav"]
    found = {where.split()[1]: reason for where, reason in listing.refused}
    expected = {
        "2": "has 3 cells, the header has 5",
        "3": "has 6 cells",
        "5": "is not after start",
        "6": "start is 'minus'",
        "7": "negative",
        "8": "start is 'nan'",
        "9": "end is 'inf'",
        "10": "turn is '1.5'",
        "11": "is the same clip as row 1",
        "12": "not UTF-8",
    }
    for row, reason in expected.items():
        assert reason in found[row], row
    assert sum("not well-formed" in reason for _, reason in listing.refused) == 2


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16", "utf-16-le-bom"])
def test_byte_order_marks(tmp_path: Path, encoding: str) -> None:
    text = "path,label\nä.wav,Ärger\n"
    raw = b"\xff\xfe" + text.encode("utf-16-le") if encoding.endswith("bom") else text.encode(encoding)
    listing = open_listing(write(tmp_path, raw))
    assert [(row.path, row.label) for row in listing.rows] == [("ä.wav", "Ärger")]


@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
def test_delimiters_of_spreadsheets(tmp_path: Path, delimiter: str) -> None:
    listing = open_listing(write(tmp_path, f"Label{delimiter} Path \r\njoy{delimiter}a.wav\r\n"))
    assert [(row.path, row.label) for row in listing.rows] == [("a.wav", "joy")]


def test_pandas_with_missing_values(tmp_path: Path) -> None:
    frame = pandas.DataFrame(
        {
            "path": ["a.wav", "b.wav", None],
            "label": [1.0, math.nan, 2.0],
            "turn": [1, None, 3],
            "score": [0.5, math.nan, 1],
        }
    )
    frame.to_parquet(tmp_path / "m.parquet")
    frame.to_csv(tmp_path / "m.csv")
    for name in ("m.parquet", "m.csv"):
        listing = open_listing(tmp_path / name)
        assert [(row.path, row.turn) for row in listing.rows] == [("a.wav", 1), ("b.wav", None)]
        assert listing.rows[1].label is None
        assert len(listing.refused) == 1
    assert open_listing(tmp_path / "m.parquet").rows[0].label == "1"


def test_parquet_with_odd_columns(tmp_path: Path) -> None:
    table = pyarrow.table(
        {
            "path": ["a.wav"],
            "audio": [{"bytes": b"\0\1", "path": "a.wav"}],
            "when": [pandas.Timestamp("2026-01-02T03:04:05Z")],
            "scores": [[0.5, math.nan]],
        }
    )
    pyarrow.parquet.write_table(table, tmp_path / "m.parquet")
    listing = open_listing(tmp_path / "m.parquet")
    assert json.loads(json.dumps(listing.rows[0].extra, allow_nan=False))["scores"] == [0.5, None]
    assert any("'audio' holds binary data" in notice for notice in listing.notices)


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("m.csv", b""),
        ("m.csv", b"\n\n"),
        ("m.csv", b"file,label\na.wav,joy\n"),
        ("m.csv", b"path,path\na,b\n"),
        ("m.csv", b"path,label\n"),
        ("m.csv", b"\xff\xfea"),
        ("m.csv", bytes(range(256)) * 9),
        ("m.tsv", b"path,label\na.wav,joy\n"),
        ("m.jsonl", b"[1, 2]\n"),
        ("m.jsonl", b'{"file": "a.wav"}\n'),
        ("m.parquet", b"PAR1 not really"),
        ("m.json", b"{}"),
        ("m.xlsx", b"PK"),
    ],
)
def test_files_that_are_no_manifest(tmp_path: Path, name: str, content: bytes) -> None:
    path = write(tmp_path, content, name)
    with pytest.raises(PipelineError, match=r"m\.") as caught:
        open_listing(path)
    assert "\n" not in str(caught.value)


def test_jsonl_lines(tmp_path: Path) -> None:
    lines = [
        '{"path": "a.wav", "start": 0.5, "turn": 3.0, "label": "joy", "more": {"x": [1, NaN]}}',
        "{broken",
        "",
        "[]",
        '{"path": 7}',
        '{"path": "b\\ud800.wav"}',
        '{"path": "c.wav", "speaker": "x\\ud800"}',
        '{"path": "d.wav", "label": ["joy"]}',
        '{"path": "e.wav", "note": "\\u0000"}',
        '{"path": "f.wav", "deep": ' + "[" * 30 + "]" * 30 + "}",
        '{"path": "g.wav", "big": 123456789012345678901234567890, "start": true}',
        '{"path": "h.wav", "big": 123456789012345678901234567890}',
    ]
    listing = open_listing(write(tmp_path, "\n".join(lines), "m.jsonl"))
    assert [row.path for row in listing.rows] == ["a.wav", "h.wav"]
    assert listing.rows[0].extra == {"more": {"x": [1, None]}}
    assert [where for where, _ in listing.refused] == [f"line {n}" for n in (2, 4, 5, 6, 7, 8, 9, 10, 11)]


def test_columns_can_be_named(tmp_path: Path) -> None:
    path = write(tmp_path, "file,emotion_1\na.wav,joy\n")
    listing = open_listing(path, columns={"path": "file", "label": "emotion_1"})
    assert [(row.path, row.label) for row in listing.rows] == [("a.wav", "joy")]
    with pytest.raises(PipelineError, match="no column 'emotion_2'"):
        open_listing(path, columns={"path": "file", "label": "emotion_2"})
    with pytest.raises(PipelineError, match="no column has the meaning"):
        open_listing(path, columns={"path": "file", "colour": "emotion_1"})


WORD = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), min_size=1, max_size=12)
NAME = WORD.map(lambda word: "c" + word.replace("/", "_").replace("\\", "_") + ".wav")
SECONDS = st.floats(0, 100, allow_nan=False)


@st.composite
def good_rows(draw: st.DrawFn) -> list[dict[str, Any]]:
    names = draw(st.lists(NAME, min_size=1, max_size=6, unique_by=lambda name: name.strip().lower()))
    rows = []
    for name in names:
        start = draw(st.none() | SECONDS)
        length = draw(st.none() | st.floats(0.01, 10))
        rows.append(
            {
                "path": name,
                "speaker": draw(st.none() | WORD),
                "label": draw(st.none() | WORD),
                "start": start,
                "end": None if length is None else (start or 0.0) + length,
                "turn": draw(st.none() | st.integers(0, 1000)),
                "text": draw(st.none() | WORD),
                "note": draw(WORD),
            }
        )
    return rows


def tidy(value: Any) -> Any:
    """Text as a reader may give it back: without outer spaces, empty and 'nan' as nothing."""
    if not isinstance(value, str):
        return value
    value = value.strip()
    return None if not value or value.lower() == "nan" else value


@OFTEN
@given(good_rows(), st.sampled_from(["csv", "tsv", "jsonl", "parquet"]))
def test_manifests_come_back_as_they_were_written(
    tmp_path_factory: pytest.TempPathFactory, rows: list[dict[str, Any]], suffix: str
) -> None:
    path = tmp_path_factory.mktemp("round") / f"m.{suffix}"
    if suffix == "parquet":
        pyarrow.parquet.write_table(pyarrow.Table.from_pylist(rows), path)
    elif suffix == "jsonl":
        path.write_text("\n".join(json.dumps(row) for row in rows))
    else:
        text = io.StringIO()
        writer = csv.DictWriter(text, list(rows[0]), delimiter="\t" if suffix == "tsv" else ",", quoting=csv.QUOTE_ALL)
        writer.writeheader()
        writer.writerows(rows)
        path.write_bytes(text.getvalue().encode())
    listing = open_listing(path)
    assert listing.refused == []
    for row, back in zip(rows, listing.rows, strict=True):
        assert back.path == row["path"]
        assert (back.start, back.end, back.turn) == (row["start"], row["end"], row["turn"])
        assert (tidy(back.label), back.speaker) == (tidy(row["label"]), tidy(row["speaker"]))
        assert back.extra == {"note": row["note"]}


@OFTEN
@given(st.binary(max_size=400), st.sampled_from(["csv", "tsv", "jsonl", "parquet"]))
@example(b'path,a\n"x', "csv")
@example(b'path\n"' + b"x" * 140_000 + b"\na.wav\n", "csv")
@example(b"path\r\ra\x00.wav", "csv")
@example(b'{"path": 1e999}', "jsonl")
@example(b"[" * 5000, "jsonl")
def test_any_bytes_give_a_listing_or_one_line(
    tmp_path_factory: pytest.TempPathFactory, raw: bytes, suffix: str
) -> None:
    path = tmp_path_factory.mktemp("any") / f"m.{suffix}"
    path.write_bytes(raw)
    check(path)


@OFTEN
@given(st.lists(st.lists(st.text(max_size=9) | st.sampled_from(["nan", "..", "a/b", '"']), max_size=5), max_size=5))
def test_any_cells_give_a_listing_or_one_line(tmp_path_factory: pytest.TempPathFactory, rows: list[list[str]]) -> None:
    path = tmp_path_factory.mktemp("cells") / "m.csv"
    lines = ["path,start,end,label", *(",".join(row) for row in rows)]
    path.write_bytes("\n".join(lines).encode(errors="replace"))
    check(path)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=6),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3),
    max_leaves=6,
)


@OFTEN
@given(
    st.dictionaries(st.sampled_from(["path", "start", "end", "turn", "label", "emotion", "speaker", "text", "x"]), JSON)
)
def test_any_json_values_give_a_listing_or_one_line(
    tmp_path_factory: pytest.TempPathFactory, record: dict[str, Any]
) -> None:
    path = tmp_path_factory.mktemp("json") / "m.jsonl"
    path.write_text(json.dumps(record) + '\n{"path": "good.wav"}\n', encoding="utf-8")
    listing = check(path)
    assert listing is not None
    assert "good.wav" in [row.path for row in listing.rows]


def check(path: Path) -> Listing | None:
    """Read a manifest; whatever comes must be fit for the store."""
    try:
        listing = open_listing(path)
    except PipelineError:
        return None
    for row in listing.rows:
        json.dumps(row.extra, allow_nan=False)
        assert not row.path.startswith(("/", "../"))
        assert row.path != ".."
        for text in (row.path, row.label, row.speaker, row.dialogue, row.text):
            assert text is None or ("\0" not in text and text.encode())
    return listing
