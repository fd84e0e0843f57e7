"""What the other processes do in the tests with two processes at once; importable by a spawned interpreter."""

from __future__ import annotations

import os
import random
import sys
import threading
from multiprocessing.synchronize import Barrier as BarrierType
from pathlib import Path
from typing import Any
from uuid import UUID

from stores import CLASSES

import db.engine
from db.claims import claim
from db.clips import clips
from db.engine import open_store
from db.labels import Answer, record


def open_at_once(workspace: Path, migrations: Path, start: BarrierType, results: Any) -> None:
    """Open the store together with the others; say which schema it has."""
    db.engine.MIGRATIONS = migrations
    start.wait(60)
    try:
        store = open_store(workspace)
        with store.read() as session:
            version = session.connection().exec_driver_sql("SELECT version_num FROM alembic_version").scalar()
        results.put(version)
    except Exception as error:
        results.put(repr(error))


def record_all(workspace: Path, answers: list[Answer], seed: int, start: BarrierType, results: Any) -> None:
    """Send every answer twice, in an order of one's own, from four threads; count how many were new."""
    store = open_store(workspace)
    created: list[bool] = []
    errors: list[str] = []

    def send(part: list[Answer]) -> None:
        try:
            created.extend(record(store, one).created for one in part)
        except Exception as error:
            errors.append(repr(error))

    order = random.Random(seed).sample(answers * 2, len(answers) * 2)
    threads = [threading.Thread(target=send, args=(order[number::4],)) for number in range(4)]
    start.wait(60)
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    results.put((sum(created), errors))


def claim_all(workspace: Path, names: list[str], n: int, start: BarrierType, results: Any) -> None:
    """Claim n clips for each annotator, each in a thread of its own."""
    store = open_store(workspace)
    got: dict[str, list[str] | str] = {}
    ready = threading.Barrier(len(names) + 1)

    def work(name: str) -> None:
        ready.wait(60)
        try:
            got[name] = [one.clip for one in claim(store, name, n)]
        except Exception as error:
            got[name] = repr(error)

    threads = [threading.Thread(target=work, args=(name,)) for name in names]
    for thread in threads:
        thread.start()
    start.wait(60)
    ready.wait(60)
    for thread in threads:
        thread.join()
    results.put(got)


def label_until_killed(workspace: Path, seed: int) -> None:
    """Answer for ever, clip after clip; a line on standard output is a receipt: nothing is said before it is stored."""
    store = open_store(workspace)
    chance = random.Random(seed)
    names = [one.id for one in clips(store)]
    while True:
        request = str(UUID(int=chance.getrandbits(128), version=4))
        given = claim(store, "ann", 4)
        name = given[0].clip if given else chance.choice(names)
        receipt = record(store, Answer(request, name, "ann", "label", chance.choice(CLASSES)))
        os.write(sys.stdout.fileno(), f"{receipt.request_id} {receipt.clip} {receipt.class_}\n".encode())


if __name__ == "__main__":
    label_until_killed(Path(sys.argv[1]), int(sys.argv[2]))
