"""How a store is opened, upgraded, and how its transactions begin. The only place that knows SQLite."""

from __future__ import annotations

import os
import sqlite3
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Engine, create_engine, event
from sqlalchemy.engine import make_url
from sqlalchemy.exc import ArgumentError, DBAPIError, IntegrityError
from sqlalchemy.orm import Session

from db.errors import StoreError
from db.schema import iso, now

__all__ = ["RECOVERY", "Store", "damage_of", "iso", "now", "open_store"]

MIGRATIONS = Path(__file__).parent / "migrations"
BUSY_SECONDS = 10
APPLICATION_ID = 0x4561726D  # "Earm" in the file's header: tells our store from any other SQLite file
RECOVERY = (
    "stop every Earmark on it, then put back a copy of yours (those from before an upgrade are in backups beside it), "
    "or save what is readable: sqlite3 earmark.db .recover | sqlite3 saved.db"
)
SMALLEST_SQLITE_FILE = 512  # bytes, one page of the smallest size
_opening = threading.Lock()  # Alembic keeps its context in globals, so one thread at a time


class Store:
    """An open store: `read()` and `write()` are its only doors."""

    def __init__(self, workspace: Path, url: str, engine: Engine) -> None:
        self.workspace = workspace
        self.url = url
        self._reader = engine
        self._writer = engine.execution_options(sqlite_begin="IMMEDIATE")
        # SQLite's busy handler is not fair between threads that all want to write; a lock is.
        self._lock = threading.Lock()
        self._writing: int | None = None

    @contextmanager
    def read(self) -> Iterator[Session]:
        """A read transaction: one consistent picture of the store, and nothing of it is kept.

        Raises:
            StoreError: the file cannot be read.
        """
        with _words(self.url), Session(self._reader) as session:
            yield session

    @contextmanager
    def write(self) -> Iterator[Session]:
        """A write transaction: the only one at its time, committed with full durability when the block ends.

        Raises:
            StoreError: the store is locked for longer than 10 s, full, read-only or damaged; nothing was stored.
        """
        if self._writing == threading.get_ident():
            raise RuntimeError("a write transaction inside a write transaction of the same thread")
        with self._lock:
            self._writing = threading.get_ident()
            try:
                with _words(self.url), Session(self._writer, expire_on_commit=False) as session, session.begin():
                    yield session
            finally:
                self._writing = None

    def close(self) -> None:
        """Close every connection; the last one to close folds SQLite's log into the file."""
        self._reader.dispose()


def open_store(workspace: Path, url: str | None = None) -> Store:
    """Open the store of a workspace; make it if there is none, upgrade it if it is older than this code.

    An existing store is copied into `backups/` before a migration. Two processes may open at once: one upgrades, the
    other waits for it.

    Args:
        workspace: the folder that holds `earmark.db`; made if missing.
        url: an SQLAlchemy URL instead of `earmark.db`.

    Raises:
        StoreError: not a store, damaged, written by a newer Earmark, not writable, or of an unknown kind.
    """
    workspace = Path(workspace).expanduser().absolute()
    try:
        workspace.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise StoreError(f"the workspace {workspace} cannot be made: {error.strerror or error}") from error
    url = url or f"sqlite:///{workspace / 'earmark.db'}"
    try:
        parsed = make_url(url)
    except ArgumentError as error:
        raise StoreError(f"{url!r} is not the URL of a store; an example: sqlite:////data/earmark.db") from error
    if parsed.get_backend_name() != "sqlite" or not parsed.database or parsed.database == ":memory:":
        raise StoreError(f"this version keeps its store in an SQLite file; {parsed.render_as_string()} is none")
    file = Path(parsed.database)
    with _opening, _words(url):
        _upgrade(file, workspace / "backups")
    return Store(workspace, url, _engine(file, foreign_keys=True))


def _engine(file: Path, *, foreign_keys: bool) -> Engine:
    """One pool for reads (BEGIN DEFERRED) and writes (BEGIN IMMEDIATE, by the execution option `sqlite_begin`)."""
    engine = create_engine(f"sqlite:///{file}", connect_args={"timeout": BUSY_SECONDS}, pool_size=20, max_overflow=20)

    @event.listens_for(engine, "connect")
    def _connect(dbapi: sqlite3.Connection, _record: Any) -> None:
        dbapi.isolation_level = None  # sqlite3 must not send a BEGIN of its own
        dbapi.execute("PRAGMA journal_mode=WAL")
        dbapi.execute("PRAGMA synchronous=FULL")  # an acknowledged answer survives a power cut
        dbapi.execute(f"PRAGMA foreign_keys={'ON' if foreign_keys else 'OFF'}")

    @event.listens_for(engine, "begin")
    def _begin(connection: Connection) -> None:
        # A reader must not say IMMEDIATE (it would keep writers out), a writer must (no upgrade of a lock midway).
        connection.exec_driver_sql("BEGIN " + connection.get_execution_options().get("sqlite_begin", "DEFERRED"))

    return engine


def _upgrade(file: Path, backups: Path) -> None:
    """Bring the file to the newest schema. SQLite's own write lock keeps a second process waiting meanwhile."""
    from alembic import command
    from alembic.config import Config
    from alembic.runtime.migration import MigrationContext
    from alembic.script import ScriptDirectory

    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS).replace("%", "%%"))
    scripts = ScriptDirectory.from_config(config)
    head = scripts.get_current_head()
    _refuse_other_files(file)
    # Foreign keys off: a migration that rebuilds a table must not empty the tables that point to it.
    engine = _engine(file, foreign_keys=False)
    try:
        with engine.execution_options(sqlite_begin="IMMEDIATE").connect() as connection, connection.begin():
            current = MigrationContext.configure(connection).get_current_revision()
            if current == head:
                return
            if current is not None:
                if current not in {script.revision for script in scripts.walk_revisions()}:
                    raise StoreError(
                        f"{file} was written by a newer Earmark (schema {current}, this one knows {head}); "
                        "install that version, nothing was changed"
                    )
                _back_up(file, backups / f"earmark-{current}-{iso(now()).replace(':', '')}.db")
            config.attributes["connection"] = connection
            command.upgrade(config, "head")
            broken = connection.exec_driver_sql("PRAGMA foreign_key_check").first()
            if broken is not None:
                raise StoreError(f"upgrading {file} would have broken its table {broken[0]}; nothing was changed")
            connection.exec_driver_sql(f"PRAGMA application_id={APPLICATION_ID}")
    finally:
        engine.dispose()


def _refuse_other_files(file: Path) -> None:
    """Look before anything is written: a file of another program must stay as it is."""
    if not file.exists():
        return
    if not file.is_file():
        raise StoreError(f"{file} is not a file")
    # Never open the file by other means than SQLite: POSIX drops all locks of a process on a file when it closes any
    # handle of it, so a store that is open already would lose its own, and the next program to close would delete the
    # log under it.
    if 0 < file.stat().st_size < SMALLEST_SQLITE_FILE:  # SQLite itself would write over a file of a few bytes
        raise StoreError(_say(str(file), "file is not a database"))
    try:
        with closing(sqlite3.connect(file, timeout=BUSY_SECONDS)) as connection:
            ours = connection.execute("PRAGMA application_id").fetchone()[0] == APPLICATION_ID
            empty = connection.execute("SELECT count(*) FROM sqlite_master").fetchone()[0] == 0
    except sqlite3.Error as error:
        raise StoreError(_say(str(file), str(error))) from error
    if not ours and not empty:
        raise StoreError(f"{file} is an SQLite file of another program, not a store of Earmark; it was not touched")


def _back_up(file: Path, target: Path) -> None:
    """Copy the store with SQLite's online backup: complete and consistent whatever else is reading it."""
    target.parent.mkdir(parents=True, exist_ok=True)
    unfinished = target.with_suffix(".unfinished")
    with closing(sqlite3.connect(file)) as source, closing(sqlite3.connect(unfinished)) as copy:
        source.backup(copy)
        verdict = copy.execute("PRAGMA quick_check(1)").fetchone()[0]
    if verdict != "ok":
        raise StoreError(f"{file} is damaged ({verdict}); it was not upgraded")
    with unfinished.open("rb") as handle:
        os.fsync(handle.fileno())
    unfinished.replace(target)


def damage_of(file: Path) -> str | None:
    """What SQLite finds wrong in a store's file, which it only reads; None when the file is sound."""
    try:
        with closing(sqlite3.connect(f"{file.absolute().as_uri()}?mode=ro", uri=True)) as connection:
            verdict = str(connection.execute("PRAGMA quick_check(1)").fetchone()[0])
    except sqlite3.Error as error:
        return str(error)
    return None if verdict == "ok" else verdict


@contextmanager
def _words(url: str) -> Iterator[None]:
    """Turn the database's own errors into sentences. Broken constraints pass: they are mistakes of the caller."""
    try:
        yield
    except IntegrityError:
        raise
    except DBAPIError as error:
        raise StoreError(_say(url.removeprefix("sqlite:///"), str(error.orig))) from error
    except sqlite3.Error as error:
        raise StoreError(_say(url.removeprefix("sqlite:///"), str(error))) from error


def _say(file: str, message: str) -> str:
    """What the database's message means for the person who reads it."""
    known = {
        "not a database": "is not a store of Earmark; choose another --workspace or move the file away",
        "malformed": f"is damaged; {RECOVERY}",
        "locked": f"has been kept locked by another program for more than {BUSY_SECONDS} s; close it and try again",
        "full": "cannot grow, the disk is full; make room and try again",
        "readonly": "cannot be written; check the rights of the file and its folder",
        "read-only": "cannot be written; check the rights of the file and its folder",
        "unable to open": "cannot be opened; check the rights of the file and its folder",
        "disk I/O": "cannot be read or written reliably; check the disk",
    }
    meaning = next((words for sign, words in known.items() if sign in message), "cannot be used")
    return f"{file} {meaning} ({message})"
