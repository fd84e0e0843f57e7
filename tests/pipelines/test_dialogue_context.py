"""Context encoders on a pool: they hear what a clip alone does not tell, and evaluation clips teach them nothing."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from pipelines.conversation import CONTEXTS
from pipelines.conversation.dialogues import Turn
from pipelines.dialogue_context import context_probabilities
from pipelines.errors import PipelineError


def answered_by_the_turn_before(dialogues: int = 40, turns: int = 6, seed: int = 0) -> tuple[list[Turn], np.ndarray]:
    """Each clip sounds like one of three; its class is what the turn before it sounded like."""
    rng = np.random.default_rng(seed)
    centres = 3 * rng.standard_normal((3, 8))
    made, x = [], []
    for d in range(dialogues):
        sounds = rng.integers(3, size=turns)
        for t, sound in enumerate(sounds):
            made.append(Turn(f"d{d}", t, f"s{t % 2}", int(sounds[t - 1]) if t else 0))
            x.append(centres[sound] + 0.3 * rng.standard_normal(8))
    return made, np.asarray(x, np.float32)


@pytest.mark.parametrize("encoder", sorted(CONTEXTS))
def test_what_came_before_decides(encoder: str) -> None:
    turns, x = answered_by_the_turn_before()
    truth = np.array([turn.label for turn in turns])
    known = np.arange(len(turns)) < 180
    asked = [turn if known[i] else replace(turn, label=None) for i, turn in enumerate(turns)]
    found = context_probabilities(asked, x, 3, encoder=encoder, loss="balanced_ce")
    assert found.shape == (240, 3)
    np.testing.assert_allclose(found.sum(1), 1, atol=1e-5)
    later = ~known & (np.array([turn.turn for turn in turns]) > 0)
    assert (found[later].argmax(1) == truth[later]).mean() > 0.6  # alone a clip gives a third


def test_the_order_of_the_pool_changes_nothing() -> None:
    turns, x = answered_by_the_turn_before(12)
    order = np.random.default_rng(1).permutation(len(turns))
    # The same dialogues in the same order, their turns as they come.
    order = order[np.argsort([int(turns[i].dialogue[1:]) for i in order], kind="stable")]
    plain = context_probabilities(
        turns[:36] + [replace(t, label=None) for t in turns[36:]], x, 3, encoder="gru", loss="ce"
    )
    mixed = [turns[i] if i < 36 else replace(turns[i], label=None) for i in order]
    other = context_probabilities(mixed, x[order], 3, encoder="gru", loss="ce")
    assert (plain[order].argmax(1) == other.argmax(1)).mean() > 0.9


def test_evaluation_clips_teach_nothing_not_even_as_context() -> None:
    turns, x = answered_by_the_turn_before(12)
    hidden = np.array([turn.speaker == "s1" for turn in turns])
    loud = x.copy()
    loud[hidden] *= 5
    alone = [replace(turn, dialogue=f"{turn.dialogue} {turn.turn}") for turn in turns[66:]]  # heard by themselves
    asked = turns[:66] + [replace(turn, label=None) for turn in alone]
    first, second = (
        context_probabilities(asked, some, 3, encoder="gru", loss="ce", hidden=hidden) for some in (x, loud)
    )
    rest = np.flatnonzero(~hidden)[-3:]
    np.testing.assert_allclose(first[rest], second[rest], atol=1e-6)


def test_too_few_labels_are_refused() -> None:
    turns, x = answered_by_the_turn_before(2)
    with pytest.raises(PipelineError, match="two labels"):
        context_probabilities([replace(turn, label=None) for turn in turns], x, 3, encoder="gru", loss="ce")
