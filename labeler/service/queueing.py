"""Which clips a person hears next."""

from __future__ import annotations

from typing import Any

from db.claims import claim
from db.clips import clips
from db.engine import iso
from db.errors import UnusableAnswer
from db.rounds import latest_round
from labeler.service.project import Project

MOST = 40


def queue(project: Project, annotator: str, n: int = 4, reveal: bool = False) -> dict[str, Any]:
    """Claim up to `n` clips, those already claimed first, and renew their leases: the document of `GET /api/queue`.

    Unless `reveal`, the suggestion is left out; the claim remembers it either way.

    Raises:
        UnusableAnswer: `n` is not 1 to 40.
    """
    if not 1 <= n <= MOST:
        raise UnusableAnswer(f"n is {n}, which is not a number of clips that one person can hold", [f"1 to {MOST}"])
    newest = latest_round(project.store)
    claims = claim(project.store, annotator, n)
    seconds = {clip.id: clip.seconds for clip in clips(project.store, [held.clip for held in claims])}
    return {
        "model": None if newest is None else {"round": newest.round, "labels": newest.labels},
        "clips": [
            {
                "clip": held.clip,
                "audio": f"/media/{held.clip}.wav",
                "picture": f"/media/{held.clip}.png",
                "seconds": seconds[held.clip],
                "reason": held.reason,
                "suggested": held.suggested if reveal else None,
                "expires": iso(held.expires),
            }
            for held in claims
        ],
    }
