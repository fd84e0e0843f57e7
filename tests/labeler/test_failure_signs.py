"""Each sign of failure alone, and none where all is well."""

from __future__ import annotations

from typing import Any

import pytest

from labeler.service.failure_signs import failure_signs

WELL: dict[str, dict[str, Any]] = {
    "pretraining": {"history": [[n, 3.0 - 0.2 * n, 3.2 - 0.2 * min(n, 5), 0.1 * n] for n in range(8)]},
    "alignment": {"pairs": [{"views": "a → b", "before": 0.4, "after": 0.8, "shuffled": 0.3}]},
    "slow_round": {"scratch": 0.6, "pretrained": 0.62, "label_embeddings_cosine": 0.4},
    "now": {"cv_uar": 0.7, "uar": 0.68, "low": 0.6, "high": 0.76},
}
RISING = (3.0, 2.5, 2.0, 2.2, 2.4, 2.6, 2.8)
BAD: list[tuple[str, dict[str, Any], str]] = [
    ("pretraining", {"history": [[0, 3.0, 3.2, 0.1], [1, float("nan"), 3.1, 0.1]]}, "unstable"),
    ("pretraining", {"history": [[0, 3.0, 3.2, 0.1], [1, 2.5, 3.4, 0.1]]}, "nothing"),
    (
        "pretraining",
        {"history": [[n, 2.0, v, 0.1] for n, v in enumerate([3, 2.5, 2, 2.2, 2.4, 2.6, 2.8])]},
        "over-learned",
    ),
    ("alignment", {"pairs": [{"views": "a → b", "before": 0.3, "after": 0.33, "shuffled": 0.3}]}, "a → b"),
    ("slow_round", {"scratch": 0.7, "pretrained": 0.6}, "from scratch"),
    ("slow_round", {"label_embeddings_cosine": 0.99}, "become one"),
    ("now", {"cv_uar": 0.9, "uar": 0.6, "low": 0.5, "high": 0.7}, "does not carry over"),
]


def test_nothing_to_say_where_all_is_well() -> None:
    assert failure_signs(**WELL) == []  # type: ignore[arg-type]
    assert failure_signs(alignment=None, pretraining=None, slow_round=None, now=None) == []
    sparse: dict[str, Any] = {"about": "made by an older version"}
    assert failure_signs(alignment=sparse, pretraining=sparse, slow_round=sparse, now={"cv_uar": None}) == []


@pytest.mark.parametrize(("where", "details", "word"), BAD)
def test_each_sign_is_seen(where: str, details: dict[str, Any], word: str) -> None:
    found = failure_signs(**{**WELL, where: details})  # type: ignore[arg-type]
    assert len(found) == 1
    assert word in found[0]
