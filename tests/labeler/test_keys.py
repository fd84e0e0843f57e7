"""Classes and keys as they are given on the command line."""

from __future__ import annotations

import pytest

from labeler.commands.keys import keys_for, split_classes, split_keys
from labeler.errors import UsageError
from labeler.service.keys import ACTION_KEYS


def test_classes_keep_their_order_and_lose_their_spaces() -> None:
    assert split_classes("neutral, anger ,very happy") == ("neutral", "anger", "very happy")


@pytest.mark.parametrize("text", ["", "a", "a,,b", "a,b,a", "a,b,"])
def test_unusable_classes_are_refused_with_an_example_or_the_reason(text: str) -> None:
    with pytest.raises(UsageError, match="--classes"):
        split_classes(text)


def test_default_keys_go_from_1_to_0() -> None:
    assert keys_for([f"c{n}" for n in range(10)]) == tuple("1234567890")


def test_more_classes_than_default_keys_need_keys_and_get_an_example_that_works() -> None:
    classes = [f"c{n}" for n in range(14)]
    with pytest.raises(UsageError, match="14 classes") as refusal:
        keys_for(classes)
    example = str(refusal.value).rpartition("--keys ")[2]
    assert len(keys_for(classes, split_keys(example))) == 14


@pytest.mark.parametrize("key", [key for key in ACTION_KEYS if key.strip() and key != ","])
def test_a_key_that_another_action_has_is_refused_with_the_list(key: str) -> None:
    with pytest.raises(UsageError, match=r"taken by .* allowed: .* u b s"):
        keys_for(("a", "b"), split_keys(f"1,{key.upper()}"))


@pytest.mark.parametrize(
    ("given", "why"),
    [("1", "1 keys for 2"), ("1,2,3", "3 keys for 2"), ("1,1", "more than one"), ("1,ab", "'ab'"), ("1,", "''")],
)
def test_other_unusable_keys(given: str, why: str) -> None:
    with pytest.raises(UsageError, match=why):
        keys_for(("a", "b"), split_keys(given))
