"""What a fast round uses and why, in a sentence for the page."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


def because(details: Mapping[str, Any]) -> str:
    """One or two sentences from a round's `details` (see `FastRound.fit`)."""
    first = _normalisation(details)
    if extra := details.get("extra"):
        first = f"{extra['name'].capitalize()} carry {100 * extra['share']:.0f} % of the weight. {first}"
    if (shared := details.get("shared", 0.0)) >= 0.005:
        of = "" if shared > 0.995 else f" in {100 * shared:.0f} % of it"
        first = f"{first}. What the views share stands beside the features{of}"
    features: Mapping[str, float] = details["features"]
    title = max(features, key=lambda name: features[name])
    if len(features) > 1 and details["cross_validated"]:
        return f"{first}. Of the speech model, {title} count most ({100 * features[title]:.0f} %)."
    return f"{first}."


def _normalisation(details: Mapping[str, Any]) -> str:
    shares: Mapping[str, float] = details["normalisation"]
    if len(shares) == 1:
        if details["speakers"] == 0:
            return "Features as they are: no speakers are known, so nothing is normalised by speaker"
        return "Features as they are: one speaker alone gives nothing to normalise by"
    if not details["cross_validated"]:
        return f"Per-speaker features carry {100 - 100 * shares['raw']:.0f} % of the weight until labels tell"
    own = 1.0 - shares["raw"]
    best = {True: 0.0, False: 0.0}
    for member in details["members"]:
        normalised = member["normalisation"] != "raw"
        best[normalised] = max(best[normalised], member["cv_uar"])
    over = "" if details["cv_by_speaker"] else " (over clips: too few speakers have labels)"
    if abs(best[True] - best[False]) < 0.005 or (best[True] > best[False]) != (own > 0.5):
        figures = f"cross-validated UAR {best[True]:.2f} with, {best[False]:.2f} without{over}"
        return f"Per-speaker normalisation carries {100 * own:.0f} % of the weight, with little to choose: {figures}"
    if own > 0.5:
        figures = f"cross-validated UAR {best[True]:.2f} against {best[False]:.2f} without{over}"
        return f"Per-speaker normalisation carries {100 * own:.0f} % of the weight: {figures}"
    figures = f"cross-validated UAR {best[False]:.2f} against {best[True]:.2f} with per-speaker normalisation{over}"
    return f"Features as they are carry {100 - 100 * own:.0f} % of the weight: {figures}"
