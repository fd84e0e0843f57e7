"""Ingest: from the rows of a source to clips in the store, in small transactions, the first ones at once."""

from __future__ import annotations

import os
import random
import time
from collections import Counter, deque
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from db.clips import (
    NewClip,
    SetAside,
    Source,
    add_clips,
    clips,
    finish_scan,
    forget_set_aside,
    known_files,
    set_aside,
    set_aside_clips,
)
from db.engine import now
from pipelines.audio import Unusable, check, clip_ids
from pipelines.errors import PipelineError
from pipelines.sources import Listing, Row, open_listing
from pipelines.worker.log import LOG
from pipelines.worker.step import Step

if TYPE_CHECKING:
    from pipelines.worker.context import Context

FIRST_BATCHES, FIRST_SECONDS, BATCH_SECONDS = 4, 0.15, 0.6
SAMPLE = 40
"""Files read before all others, drawn at random: whoever labels at once hears more than the first speaker."""
Place = tuple[str, float | None, float | None]


@dataclass(frozen=True)
class Span:
    """A clip whose file was hashed, and what the file was then."""

    row: Row
    id: str
    file_bytes: int
    mtime_ns: int


@dataclass
class Scan:
    """A source that is being read. Lost with the process; a new scan skips what the store knows already."""

    source: Source
    listing: Listing
    files: deque[list[Row]]
    total: int
    known: dict[Place, tuple[int, int, str]]
    """(bytes, mtime_ns, clip id or "" if set aside) of what need not be read again while the file is the same."""
    columns: dict[str, Row]
    """What the store holds in the columns of each clip, as a row."""
    opened: deque[Span] = field(default_factory=deque)
    """Clips of a file that was hashed, still to be heard."""
    done: int = 0
    batches: int = 0
    added: Counter[str] = field(default_factory=Counter)


class Ingest:
    """The scan in hand, and the sources that could not be read."""

    def __init__(self) -> None:
        self.scan: Scan | None = None
        self.broken: dict[int, tuple[Source, str]] = {}


def _waiting(context: Context) -> list[Source]:
    """Sources to scan, without those that could not be read and are still as they were."""
    broken = context.ingest.broken
    return [
        source
        for source in context.known.sources
        if source.scanned_at is None and broken.get(source.id, (None, ""))[0] != source
    ]


def due(context: Context) -> bool:
    """Whether a source waits to be scanned, or failed and is to be tried again."""
    return any(source.scanned_at is None for source in context.known.sources)


def do(context: Context) -> None:
    """Read some files of a source, for a fraction of a second, or end its scan."""
    ingest = context.ingest
    waiting = _waiting(context)
    if not waiting:
        reasons = [reason for source, reason in ingest.broken.values() if source.scanned_at is None]
        ingest.broken.clear()  # tried again after the step's pause
        raise PipelineError("; ".join(reasons) or "no source can be read")
    source = waiting[0]
    if ingest.scan is None or ingest.scan.source != source:
        try:
            ingest.scan = _begin(context, source)
        except PipelineError as error:
            ingest.broken[source.id] = (source, str(error))
            if len(waiting) == 1:
                raise
            return
    scan = ingest.scan
    if scan.files or scan.opened:
        _batch(context, scan)
    if not (scan.files or scan.opened):
        _end(context, scan)
        ingest.scan = None
    context.report(scan.done, scan.total)


def _begin(context: Context, source: Source) -> Scan:
    listing = open_listing(source.location, kind=source.kind, columns=source.options.get("columns"))
    if not source.root.is_dir() or not os.path.samefile(listing.root, source.root):
        raise PipelineError(
            f"{source.location} lies in {listing.root}, but its clips were in {source.root}; "
            f"say where they are now: `earmark relocate {listing.root}`"
        )
    LOG.info("scanning %s: %d rows", source.location, len(listing.rows))
    for notice in listing.notices:
        LOG.info("%s", notice)
    kinds = {
        (item.path, item.start, item.end): item.kind
        for item in set_aside_clips(context.store)
        if item.source == source.id
    }
    known = {
        place: facts
        for place, facts in known_files(context.store, source.id).items()
        # Another file may have gone, or this one come back: these two are always looked at again.
        if facts[2] or kinds.get(place) not in ("duplicate", "missing")
    }
    by_file: dict[str, list[Row]] = {}
    for row in listing.rows:
        by_file.setdefault(row.path, []).append(row)
    names = list(by_file)
    first = set(random.Random(context.settings.seed).sample(names, min(SAMPLE, len(names))))
    order = [*(name for name in names if name in first), *(name for name in names if name not in first)]
    columns = {
        clip.id: Row(
            clip.path, clip.start, clip.end, clip.label, clip.speaker, clip.dialogue, clip.turn, clip.text, clip.extra
        )
        for clip in clips(context.store, [facts[2] for facts in known.values() if facts[2]])
    }
    files = deque(by_file[name] for name in order)
    return Scan(source, listing, files, len(listing.rows), known, columns)


def _batch(context: Context, scan: Scan) -> None:
    """Read files until the time is over; then one transaction for clips, one for what is set aside."""
    seconds = FIRST_SECONDS if scan.batches < FIRST_BATCHES else BATCH_SECONDS
    limit = time.monotonic() + seconds
    fresh: list[NewClip] = []
    aside: list[SetAside] = []
    while (scan.files or scan.opened) and time.monotonic() < limit:
        if scan.opened:
            _hear(scan, scan.opened.popleft(), fresh, aside)
        else:
            _open(scan, scan.files.popleft(), aside)
    if fresh:
        added = add_clips(context.store, scan.source.id, fresh)
        scan.added.update(new=len(added.new), moved=len(added.moved), duplicate=len(added.duplicates))
    if aside:
        set_aside(context.store, scan.source.id, aside)
        scan.added.update(aside=len(aside))
    scan.batches += 1


def _open(scan: Scan, rows: list[Row], aside: list[SetAside]) -> None:
    """Hash one file, unless the store knows it as it is, and lay out the spans that are to be heard."""
    path = scan.source.root / rows[0].path
    try:
        stat = path.stat()
        size, changed = stat.st_size, stat.st_mtime_ns
    except (OSError, ValueError):
        size = changed = 0  # hashing will say what is wrong
    unread: list[Row] = []
    for row in rows:
        facts = scan.known.get((row.path, row.start, row.end))
        same_file = facts is not None and facts[:2] == (size, changed)
        if facts is None or not same_file or (facts[2] and scan.columns.get(facts[2]) != row):
            unread.append(row)
    scan.done += len(rows) - len(unread)
    if not unread:
        return
    try:
        ids = clip_ids(path, [(row.start, row.end) for row in unread])
    except Unusable as error:
        if not scan.source.root.is_dir():
            raise PipelineError(f"{scan.source.root} went away while it was read; plug it in again") from error
        aside.extend(_aside(scan.source, row, error, size, changed) for row in unread)
        scan.done += len(unread)
        return
    scan.opened.extend(Span(row, id, size, changed) for row, id in zip(unread, ids, strict=True))


def _hear(scan: Scan, span: Span, fresh: list[NewClip], aside: list[SetAside]) -> None:
    row = span.row
    scan.done += 1
    try:
        sound = check(scan.source.root / row.path, row.start, row.end)
    except Unusable as error:
        aside.append(_aside(scan.source, row, error, span.file_bytes, span.mtime_ns))
        return
    fresh.append(
        NewClip(
            id=span.id,
            path=row.path,
            start=row.start,
            end=row.end,
            seconds=sound.seconds,
            sample_rate=sound.rate,
            file_bytes=span.file_bytes,
            mtime_ns=span.mtime_ns,
            speaker=row.speaker,
            dialogue=row.dialogue,
            turn=row.turn,
            text=row.text,
            label=row.label,
            extra=row.extra,
        )
    )


def _aside(source: Source, row: Row, error: Unusable, size: int, changed: int) -> SetAside:
    return SetAside(source.id, row.path, row.start, row.end, error.kind, error.reason, now(), size, changed)


def _end(context: Context, scan: Scan) -> None:
    """What the source no longer names, what it names wrongly, and the draw of evaluation clips."""
    store, source = context.store, scan.source
    listed: set[Place] = {(row.path, row.start, row.end) for row in scan.listing.rows}
    items = []
    for place, facts in known_files(store, source.id).items():
        if facts[2] and place not in listed:
            gone = not (source.root / place[0]).is_file()
            reason = "its file has gone" if gone else f"{Path(source.location).name} no longer names it"
            # No size and time, so that it is read again when it comes back.
            items.append(SetAside(source.id, *place, "missing", reason, now(), 0, 0))
    for where, reason in scan.listing.refused:
        name = f"{Path(source.location).name}, {where}"
        items.append(SetAside(source.id, name, None, None, "unreadable", reason, now(), 0, 0))
    if items:
        set_aside(store, source.id, items)
    lost = {(clip.path, clip.start, clip.end) for clip in clips(store) if clip.source == source.id and not clip.present}
    forget_set_aside(store, source.id, listed | lost | {(item.path, item.start, item.end) for item in items})
    drawn = finish_scan(store, source.id, context.settings.evaluation_share, context.settings.seed)
    context.known.clips_changed()
    context.known.refresh()
    counted = {"rows": scan.total, "refused": len(scan.listing.refused), "evaluation": drawn, **scan.added}
    LOG.info("scanned %s: %s", source.location, ", ".join(f"{name} {n}" for name, n in counted.items()))
    context.progress.details[f"scan {source.id}"] = {
        "source": source.location,
        **counted,
        "notices": scan.listing.notices,
    }


STEP = Step("ingest", "reading clips", due, do)
