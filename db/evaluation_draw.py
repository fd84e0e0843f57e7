"""Which clips are kept apart for evaluation: drawn once a scan has ended, and never drawn again."""

from __future__ import annotations

import random
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence

from sqlalchemy import func, select, update

from db.engine import Store, now
from db.errors import StoreError
from db.schema import ClipRow, SourceRow

SPEAKERS_NEEDED = 5
SHUFFLES = 200


def finish_scan(store: Store, source_id: int, share: float, seed: int) -> int:
    """Note that the scan of a source has ended, and draw evaluation clips among its clips that are not drawn yet.

    Whole speakers at random where the project knows five or more, so that no speaker is on both sides; else, and for
    clips without a speaker, clips at random. A speaker drawn in an earlier import stays on their side.

    Args:
        share: the part of the new clips to draw, 0 to 1; whole speakers come as close to it as they can.
        seed: the same seed and clips give the same draw.

    Returns:
        The number of clips drawn now.

    Raises:
        StoreError: no such source.
    """
    with store.write() as session:
        source = session.get(SourceRow, source_id)
        if source is None:
            raise StoreError(f"no source has the number {source_id}")
        fresh = session.execute(
            select(ClipRow.id, ClipRow.speaker)
            .where(ClipRow.source == source_id, ClipRow.evaluation.is_(None))
            .order_by(ClipRow.id)
        ).all()
        speakers = session.scalar(select(func.count(ClipRow.speaker.distinct()))) or 0
        drawn_before = session.scalar(select(ClipRow.id).where(ClipRow.evaluation.is_(True)).limit(1)) is not None
        chance = random.Random(f"evaluation {seed} {source_id}")
        chosen: set[str] = set()
        alone = [row.id for row in fresh]
        if speakers >= SPEAKERS_NEEDED and share > 0:
            source.drawn_by = source.drawn_by or "speakers"
            sides = {
                row.speaker: bool(row.evaluation)
                for row in session.execute(
                    select(ClipRow.speaker, ClipRow.evaluation)
                    .join(SourceRow, SourceRow.id == ClipRow.source)
                    .where(
                        SourceRow.drawn_by == "speakers", ClipRow.speaker.is_not(None), ClipRow.evaluation.is_not(None)
                    )
                    .distinct()
                )
            }
            of_speaker: dict[str, list[str]] = defaultdict(list)
            for row in fresh:
                if row.speaker is not None:
                    of_speaker[row.speaker].append(row.id)
            sizes = Counter({name: len(ids) for name, ids in of_speaker.items() if name not in sides})
            drawn = closest_speakers(sizes, share, chance, at_least=0 if drawn_before else 1)
            chosen.update(*(ids for name, ids in of_speaker.items() if name in drawn or sides.get(name, False)))
            alone = [row.id for row in fresh if row.speaker is None]
        elif fresh:
            source.drawn_by = source.drawn_by or "clips"
        chosen.update(chance.sample(alone, round(share * len(alone))))
        session.execute(
            update(ClipRow).where(ClipRow.source == source_id, ClipRow.evaluation.is_(None)).values(evaluation=False)
        )
        if chosen:
            session.execute(update(ClipRow), [{"id": id, "evaluation": True} for id in sorted(chosen)])
        source.scanned_at = now()
        return len(chosen)


def closest_speakers(sizes: Mapping[str, int], share: float, chance: random.Random, *, at_least: int) -> set[str]:
    """Speakers at random whose clips together come closest to a share of all.

    The best of 200 random orders, in each of which a speaker joins when that brings the sum nearer to the share.

    Args:
        sizes: clips of each speaker.
        at_least: speakers to draw even when fewer would be closer; one is always left over.
    """
    names: Sequence[str] = sorted(sizes)
    target = share * sum(sizes.values())
    best: tuple[float, set[str]] | None = None
    for _ in range(SHUFFLES if names else 0):
        order = chance.sample(names, len(names))
        drawn: set[str] = set()
        total = 0
        for name in order:
            nearer = abs(total + sizes[name] - target) < abs(total - target)
            if (nearer or len(drawn) < at_least) and len(drawn) < len(names) - 1:
                drawn.add(name)
                total += sizes[name]
        distance = abs(total - target)
        if best is None or distance < best[0]:
            best = (distance, drawn)
    return best[1] if best else set()
