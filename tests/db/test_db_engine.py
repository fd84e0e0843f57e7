"""Opening, upgrading and the transactions of a store, on real files."""

from __future__ import annotations

import shutil
import sqlite3
import threading
from contextlib import closing
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import func, select, text
from stores import answer, clip_name, filled

import db.engine
from db.engine import Store, iso, now, open_store
from db.errors import StoreError
from db.labels import record, standing
from db.rounds import notices, set_notice
from db.schema import Base, NoticeRow


def second_migration(folder: Path, body: str) -> Path:
    """The released migrations and one more, as a later version of Earmark would bring it."""
    shutil.copytree(db.engine.MIGRATIONS, folder)
    (folder / "versions" / "0002_later.py").write_text(
        "import sqlalchemy as sa\nfrom alembic import op\n"
        f"revision = '0002'\ndown_revision = '0001'\n\n\ndef upgrade():\n{body}\n"
    )
    return folder


def revision(file: Path) -> str:
    with closing(sqlite3.connect(file)) as connection:
        return str(connection.execute("SELECT version_num FROM alembic_version").fetchone()[0])


def test_what_was_written_is_there_after_opening_again(tmp_path: Path) -> None:
    first = open_store(tmp_path / "new" / "workspace")
    set_notice(first, "weights", "no weights")
    first.close()
    assert notices(open_store(tmp_path / "new" / "workspace")) == {"weights": "no weights"}
    assert not (tmp_path / "new" / "workspace" / "backups").exists()  # nothing was migrated


def test_the_migrations_make_exactly_the_tables_of_the_schema(empty: Store) -> None:
    with empty.read() as session:
        context = MigrationContext.configure(session.connection(), opts={"compare_type": True})
        assert compare_metadata(context, Base.metadata) == []


def test_durable_commits_and_checked_foreign_keys(empty: Store) -> None:
    with empty.write() as session:
        pragmas = [session.execute(text(f"PRAGMA {name}")).scalar() for name in ("synchronous", "foreign_keys")]
        mode = session.execute(text("PRAGMA journal_mode")).scalar()
    assert (pragmas, mode) == ([2, 1], "wal")


def test_a_failed_write_leaves_nothing(empty: Store) -> None:
    def fail() -> None:
        with empty.write() as session:
            session.add(NoticeRow(key="half", text="half"))
            session.flush()
            raise KeyError("midway")

    with pytest.raises(KeyError):
        fail()
    assert notices(empty) == {}
    set_notice(empty, "whole", "whole")  # the lock was given back
    assert notices(empty) == {"whole": "whole"}


def test_a_reader_sees_one_moment_and_keeps_no_writer_out(empty: Store) -> None:
    count = select(func.count()).select_from(NoticeRow)
    with empty.read() as reader:
        before = reader.scalar(count)
        writer = threading.Thread(target=set_notice, args=(empty, "a", "b"))
        writer.start()
        writer.join(5)
        assert not writer.is_alive()
        assert reader.scalar(count) == before == 0
    assert notices(empty) == {"a": "b"}


def test_a_write_inside_a_write_is_a_mistake_and_no_deadlock(empty: Store) -> None:
    with empty.write(), pytest.raises(RuntimeError, match="inside a write"):
        set_notice(empty, "a", "b")


def test_a_lock_held_by_another_program_is_said_in_words(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(db.engine, "BUSY_SECONDS", 0)
    store = open_store(tmp_path)
    with closing(sqlite3.connect(tmp_path / "earmark.db", isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(StoreError, match="locked by another program"):
            set_notice(store, "a", "b")
        other.execute("ROLLBACK")
    set_notice(store, "a", "b")


@pytest.mark.parametrize("content", [b"path,label\na.wav,anger\n" * 50, b"\0" * 5000, b"x"])
def test_a_file_that_is_no_store_is_refused_and_left_alone(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "earmark.db").write_bytes(content)
    with pytest.raises(StoreError, match=r"earmark\.db is not a store of Earmark"):
        open_store(tmp_path)
    assert (tmp_path / "earmark.db").read_bytes() == content


def test_another_programs_database_is_refused_and_left_alone(tmp_path: Path) -> None:
    with closing(sqlite3.connect(tmp_path / "earmark.db")) as other:
        other.execute("CREATE TABLE label_event (id)")
        other.commit()
    before = (tmp_path / "earmark.db").read_bytes()
    with pytest.raises(StoreError, match="another program"):
        open_store(tmp_path)
    assert (tmp_path / "earmark.db").read_bytes() == before


def test_a_damaged_store_is_said_in_words(tmp_path: Path) -> None:
    filled(tmp_path, 300).close()
    file = tmp_path / "earmark.db"
    content = bytearray(file.read_bytes())
    content[4096:] = b"\xa5" * (len(content) - 4096)
    file.write_bytes(content)

    def use() -> None:
        standing(open_store(tmp_path))

    with pytest.raises(StoreError, match="damaged"):
        use()


@pytest.mark.parametrize("url", ["postgresql+psycopg://host/base", "sqlite://", "nonsense", "sqlite:///:memory:"])
def test_an_url_that_cannot_be_a_store_is_refused(tmp_path: Path, url: str) -> None:
    with pytest.raises(StoreError, match="store"):
        open_store(tmp_path, url)


def test_a_store_elsewhere_by_its_url(tmp_path: Path) -> None:
    store = open_store(tmp_path / "workspace", f"sqlite:///{tmp_path / 'elsewhere.db'}")
    set_notice(store, "a", "b")
    assert (tmp_path / "elsewhere.db").exists()
    assert not (tmp_path / "workspace" / "earmark.db").exists()


def test_a_workspace_that_is_a_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(StoreError, match="workspace"):
        open_store(tmp_path / "file")


def test_an_older_store_is_copied_and_upgraded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    store = filled(tmp_path / "w", 5)
    given = record(store, answer(clip_name(1)))
    # Rebuilding `person` and `clip` would empty the tables that point to them if foreign keys were on meanwhile.
    body = (
        "    with op.batch_alter_table('person', recreate='always') as table:\n"
        "        table.add_column(sa.Column('email', sa.Text(), nullable=True))\n"
        "    with op.batch_alter_table('clip', recreate='always') as table:\n"
        "        table.add_column(sa.Column('channel', sa.Integer(), nullable=True))"
    )
    monkeypatch.setattr(db.engine, "MIGRATIONS", second_migration(tmp_path / "later", body))
    upgraded = open_store(tmp_path / "w")  # the old process still has it open, as a forgotten worker would
    assert revision(tmp_path / "w" / "earmark.db") == "0002"
    assert [one.request_id for one in standing(upgraded)] == [given.request_id]
    with upgraded.read() as session:
        assert session.execute(text("SELECT count(channel) FROM clip")).scalar() == 0
    (copy,) = (tmp_path / "w" / "backups").iterdir()
    assert copy.name.startswith("earmark-0001-")
    assert revision(copy) == "0001"
    with closing(sqlite3.connect(copy)) as connection:
        assert connection.execute("SELECT request_id FROM label_event").fetchall() == [(given.request_id,)]
        assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)


@pytest.mark.parametrize(
    "body",
    [
        "    op.add_column('clip', sa.Column('channel', sa.Integer()))\n    raise RuntimeError('midway')",
        "    op.add_column('clip', sa.Column('channel', sa.Integer()))\n    op.execute(\"DELETE FROM person\")",
    ],
    ids=["fails", "breaks references"],
)
def test_a_migration_that_goes_wrong_changes_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, body: str
) -> None:
    store = filled(tmp_path / "w", 5)
    record(store, answer(clip_name(1)))
    released = db.engine.MIGRATIONS
    monkeypatch.setattr(db.engine, "MIGRATIONS", second_migration(tmp_path / "later", body))
    with pytest.raises((RuntimeError, StoreError)):
        open_store(tmp_path / "w")
    monkeypatch.setattr(db.engine, "MIGRATIONS", released)
    again = open_store(tmp_path / "w")
    assert len(standing(again)) == 1
    with again.read() as session:
        columns = list(session.execute(text("SELECT * FROM clip")).keys())
    assert "channel" not in columns


def test_a_store_of_a_newer_version_is_refused_and_left_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    released = db.engine.MIGRATIONS
    body = "    op.add_column('clip', sa.Column('channel', sa.Integer()))"
    monkeypatch.setattr(db.engine, "MIGRATIONS", second_migration(tmp_path / "later", body))
    open_store(tmp_path / "w").close()
    before = (tmp_path / "w" / "earmark.db").read_bytes()
    monkeypatch.setattr(db.engine, "MIGRATIONS", released)
    with pytest.raises(StoreError, match="newer Earmark"):
        open_store(tmp_path / "w")
    assert (tmp_path / "w" / "earmark.db").read_bytes() == before


def test_moments_are_utc_text_of_one_width() -> None:
    moment = now()
    assert moment.utcoffset() is not None
    assert len(iso(moment)) == 24
    assert iso(moment).endswith("Z")
    assert moment.fromisoformat(iso(moment)) == moment
