"""Losses with their options in one line of text: `ce`, `ce+sslcl`, `ce+sslcl:momentum=0.9,prior=training*0.5`."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from pipelines.errors import PipelineError
from pipelines.losses import Combined, SupervisedLoss, build_loss


@dataclass(frozen=True)
class Part:
    """One loss of a sum: its registered name, what it is multiplied with, its options."""

    name: str
    weight: float
    options: dict[str, Any]


def parse(text: str) -> list[Part]:
    """Parts of `NAME[:OPTION=VALUE[,…]][*WEIGHT]` joined by `+`. Values are JSON where they can be, else words.

    Raises PipelineError for a text of another form; unknown names and options are found by `make_loss`.
    """
    parts = []
    for piece in text.split("+"):
        body, star, weight = piece.partition("*")
        name, colon, listed = body.partition(":")
        try:
            options = {key: _value(value) for key, value in (o.split("=") for o in listed.split(","))} if colon else {}
            parts.append(Part(name, float(weight) if star else 1.0, options))
        except ValueError as error:
            raise PipelineError(
                f"loss {text!r} cannot be read ({error}); write it as ce+sslcl or ce+sslcl:momentum=0.9*0.5"
            ) from error
    return parts


def make_loss(text: str, classes: int, width: int, counts: Sequence[int]) -> SupervisedLoss:
    """The loss that `text` names, for features of `width` numbers and these training counts.

    Raises PipelineError for names, options and values that the registry does not take.
    """
    parts = parse(text)
    try:
        built = [build_loss(part.name, classes, width, counts, **part.options) for part in parts]
    except (TypeError, ValueError) as error:
        raise PipelineError(f"loss {text!r}: {error}") from error
    if len(built) == 1 and parts[0].weight == 1:
        return built[0]
    return Combined(built, [part.weight for part in parts])


def _value(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        return text
