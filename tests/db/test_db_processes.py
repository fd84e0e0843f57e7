"""Several processes on one store at once, and processes that are killed."""

from __future__ import annotations

import multiprocessing
import random
import shutil
import signal
import sqlite3
import subprocess
import sys
from collections import Counter
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
import store_processes
from stores import answer, clip_name, filled

import db.engine
from db.claims import claim
from db.engine import open_store
from db.labels import newest_event, record, standing

spawn = multiprocessing.get_context("spawn")


def together(target: Callable[..., None], arguments: list[tuple[Any, ...]]) -> list[Any]:
    """Run the target once for each tuple, in processes that begin at the same moment; what each has put."""
    start, results = spawn.Barrier(len(arguments)), spawn.Queue()
    processes = [spawn.Process(target=target, args=(*given, start, results)) for given in arguments]
    for process in processes:
        process.start()
    found = [results.get(timeout=120) for _ in processes]
    for process in processes:
        process.join(60)
        assert process.exitcode == 0
    return found


def later_migrations(folder: Path) -> Path:
    shutil.copytree(db.engine.MIGRATIONS, folder)
    (folder / "versions" / "0002_later.py").write_text(
        "import sqlalchemy as sa\nfrom alembic import op\nrevision = '0002'\ndown_revision = '0001'\n\n\n"
        "def upgrade():\n    op.add_column('clip', sa.Column('channel', sa.Integer()))\n"
    )
    return folder


@pytest.mark.parametrize("exists", [False, True], ids=["new store", "upgrade"])
def test_three_processes_open_at_once_and_one_migrates(tmp_path: Path, exists: bool) -> None:
    workspace = tmp_path / "workspace"
    if exists:
        filled(workspace, 5).close()
    migrations = later_migrations(tmp_path / "later")
    assert together(store_processes.open_at_once, [(workspace, migrations)] * 3) == ["0002"] * 3
    backups = list((workspace / "backups").glob("*.db")) if exists else []
    assert len(backups) == int(exists)


def test_two_processes_that_send_the_same_requests_store_each_once(tmp_path: Path) -> None:
    workspace = tmp_path / "workspace"
    filled(workspace, 20).close()
    answers = [answer(clip_name(number % 20), annotator=f"a{number % 3}") for number in range(60)]
    found = together(store_processes.record_all, [(workspace, answers, seed) for seed in range(2)])
    assert [errors for _, errors in found] == [[], []]
    assert sum(created for created, _ in found) == 60
    store = open_store(workspace)
    assert newest_event(store) == 60
    assert {(one.clip, one.annotator) for one in standing(store)} == {(one.clip, one.annotator) for one in answers}
    with closing(sqlite3.connect(workspace / "earmark.db")) as connection:
        cached = dict(connection.execute("SELECT id, answers FROM clip"))
    assert cached == Counter(one.clip for one in standing(store))


def test_fifty_annotators_in_two_processes_never_get_the_same_clip(tmp_path: Path) -> None:
    workspace = tmp_path / "workspace"
    filled(workspace, 130, share=0.2).close()
    names = [f"annotator {number}" for number in range(50)]
    found = together(store_processes.claim_all, [(workspace, names[:25], 3), (workspace, names[25:], 3)])
    got = {name: clips for part in found for name, clips in part.items()}
    assert all(isinstance(clips, list) for clips in got.values()), got
    given = [clip for clips in got.values() for clip in clips]
    assert len(given) == len(set(given)) == 130  # 50 times 3 were asked for: every clip is held, none twice
    store = open_store(workspace)
    for name in names[:5]:
        assert [one.clip for one in claim(store, name, 3)] == got[name]


def test_killed_while_writing_five_times_nothing_acknowledged_is_lost(tmp_path: Path) -> None:
    workspace = tmp_path / "workspace"
    filled(workspace, 400).close()
    receipts: list[list[str]] = []
    chance = random.Random(0)
    for seed in range(5):
        process = subprocess.Popen(
            [sys.executable, store_processes.__file__, str(workspace), str(seed)], stdout=subprocess.PIPE, text=True
        )
        assert process.stdout is not None
        for _ in range(chance.randint(2, 25)):  # whatever it is doing after so many receipts
            receipts.append(process.stdout.readline().split())
        process.send_signal(signal.SIGKILL)
        receipts += [line.split() for line in process.stdout.read().splitlines()]
        assert process.wait(30) == -signal.SIGKILL
        store = open_store(workspace)  # opens without a step by hand
        stored = {one.request_id: one for one in standing(store)}
        assert all(
            (stored[request].clip, stored[request].class_) == (clip, class_) for request, clip, class_ in receipts
        )
        assert len(stored) + seed == newest_event(store)  # and a skip of ours after each earlier kill
        assert len(receipts) <= len(stored) <= len(receipts) + seed + 1  # stored, but killed before it could say so
        record(store, answer(stored[receipts[-1][0]].clip, "skip", annotator="bob"))
        store.close()
        with closing(sqlite3.connect(workspace / "earmark.db")) as connection:
            assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)
            assert connection.execute("PRAGMA foreign_key_check").fetchall() == []
            assert connection.execute("SELECT sum(answers) FROM clip").fetchone() == (len(stored),)


def test_opening_a_store_twice_in_a_process_leaves_it_its_locks(tmp_path: Path) -> None:
    """A handle closed beside SQLite's own drops them: the next program to close then deletes the log under this one."""
    store, _ = filled(tmp_path, 20), open_store(tmp_path)
    for k in range(6):
        record(store, answer(clip_name(k), class_="anger"))
        look = (
            "import sqlite3, sys; c = sqlite3.connect(sys.argv[1]); c.execute('SELECT count(*) FROM clip'); c.close()"
        )
        subprocess.run([sys.executable, "-c", look, str(tmp_path / "earmark.db")], check=True)
        assert (tmp_path / "earmark.db-wal").exists()
        open_store(tmp_path).close()
    copy = tmp_path / "copy"
    copy.mkdir()
    for name in ("earmark.db", "earmark.db-wal"):
        shutil.copy(tmp_path / name, copy / name)  # what is left when the plug is pulled
    with open_store(copy).read() as session:
        assert session.connection().exec_driver_sql("SELECT count(*) FROM label_event").scalar() == 6
