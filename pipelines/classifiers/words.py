"""What a fast round uses and why, in a sentence for the page."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


def because(details: Mapping[str, Any]) -> str:
    """One or two sentences from a round's `details` (see `FastRound.fit`)."""
    shares: Mapping[str, float] = details["normalisation"]
    if len(shares) == 1:
        if details["speakers"] == 0:
            first = "Features as they are: no speakers are known, so nothing is normalised by speaker"
        else:
            first = "Features as they are: one speaker alone gives nothing to normalise by"
    elif not details["cross_validated"]:
        first = "Raw and per-speaker features weigh the same until there are labels enough to compare them"
    else:
        own = 1.0 - shares["raw"]
        best = {"with": 0.0, "without": 0.0}
        for member in details["members"]:
            side = "without" if member["normalisation"] == "raw" else "with"
            best[side] = max(best[side], member["cv_uar"])
        over = "" if details["cv_by_speaker"] else " (over clips, too few speakers are labelled)"
        if own >= 0.5:
            weight, here, there, word = own, best["with"], best["without"], "without"
            what = "Per-speaker normalisation carries"
        else:
            weight, here, there, word = 1 - own, best["without"], best["with"], "with per-speaker normalisation"
            what = "Features without per-speaker normalisation carry"
        first = f"{what} {100 * weight:.0f} % of the weight: "
        first += f"cross-validated UAR {here:.2f} against {there:.2f} {word}{over}"
    features: Mapping[str, float] = details["features"]
    title = max(features, key=lambda name: features[name])
    if len(features) > 1 and details["cross_validated"]:
        return f"{first}. Of the speech model, {title} count most ({100 * features[title]:.0f} %)."
    return f"{first}."
