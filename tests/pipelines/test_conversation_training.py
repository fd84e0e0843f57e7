"""Training on dialogues: batches, losses by name, what is chosen and that nothing leaks."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from made_dialogues import dialogues
from sklearn.metrics import f1_score

from pipelines.conversation import CONTEXTS
from pipelines.conversation.dialogues import NONE, Turn, assemble, batches
from pipelines.conversation.loss_names import Part, make_loss, parse
from pipelines.conversation.scoring import scores
from pipelines.conversation.training import (
    ConversationModel,
    Training,
    as_text,
    evaluate,
    from_text,
    masked_views,
    restrict,
    train,
)
from pipelines.errors import PipelineError
from pipelines.losses import LOSSES, SSLCL, Combined

SHORT = Training(encoder="gcn", batch=4, epochs=3, rate=5e-3, width=16, dropout=0.1)


def test_turns_become_dialogues_in_order_with_speakers_as_they_come_in() -> None:
    turns = [Turn("b", 1, "Ann", 0), Turn("a", 5, "Eve", 2), Turn("b", 0, "Bob", None), Turn("b", 7, "Bob", 1)]
    made = assemble(turns, np.arange(8, dtype=np.float32).reshape(4, 2))
    assert made.mask.tolist() == [[True, True, True], [True, False, False]]
    assert made.labels.tolist() == [[NONE, 0, 1], [2, NONE, NONE]]
    assert made.speakers.tolist() == [[0, 1, 0], [0, 0, 0]]
    assert made.features[0, :, 0].tolist() == [4, 0, 6]
    assert made.counts(4) == [1, 1, 1, 0]
    assert made.take(torch.tensor([1])).mask.shape == (1, 1)


def test_every_dialogue_is_in_one_batch_and_a_batch_has_two_labels() -> None:
    data = dialogues(23, 0, lengths=(1, 4))
    generator = torch.Generator().manual_seed(0)
    orders = []
    for size in (1, 4, 50):
        for epoch in range(3):
            found = list(batches(data, size, generator))
            assert sorted(torch.cat(found).tolist()) == list(range(23))
            assert all(int((data.labels[rows] != NONE).sum()) >= 2 for rows in found)
            if size == 4 and epoch < 2:
                orders.append([rows.tolist() for rows in found])
    assert orders[0] != orders[1]
    lengths = data.mask.sum(1)
    spread = [int(lengths[rows].max() - lengths[rows].min()) for rows in batches(data, 4)]
    assert max(spread) <= 1  # without a generator: strictly by length


def test_a_batch_with_one_label_is_joined() -> None:
    turns = [Turn("a", 0, "A", 0), Turn("b", 0, "A", 1), Turn("b", 1, "A", 1), Turn("c", 0, "B", None)]
    data = assemble(turns, np.zeros((4, 2), np.float32))
    assert sorted(map(len, batches(data, 1))) == [3]


@pytest.mark.parametrize("encoder", CONTEXTS)
def test_what_was_said_before_is_learned(encoder: str) -> None:
    """Only the utterance before tells the class: without context the majority is all that can be had."""
    settings = replace(SHORT, encoder=encoder, epochs=12, rate=0.01, width=32, causal=True)
    learning, test = dialogues(50, 1, from_before=True, lengths=(3, 8)), dialogues(30, 2, from_before=True)
    trained = train(learning, dialogues(20, 3, from_before=True), 3, settings)
    found, _ = trained.evaluate(test, 3)
    assert found.macro > 0.8, trained.history
    assert trained.history[trained.best_epoch] == max(trained.history)


@pytest.mark.parametrize("loss", [*LOSSES, "ce+supcon", "ce+sslcl_ref", "weighted_ce+sslcl:momentum=0.9*0.5"])
def test_any_registered_loss_trains_by_its_name(loss: str) -> None:
    learning, dev = dialogues(20, 1), dialogues(12, 2)
    trained = train(learning, dev, 3, replace(SHORT, loss=loss, epochs=10, rate=0.01))
    found, predicted = trained.evaluate(dev, 3)
    assert len(predicted) == int((dev.labels != NONE).sum())
    if loss != "sslcl_barlow_twins":  # alone it needs more than a dozen utterances a batch to decorrelate columns over
        assert found.macro > 0.5, (trained.history, trained.losses)  # the majority alone: 0.22
    assert np.isfinite(trained.losses).all()
    assert (trained.closeness is None) == ("sslcl" not in loss)


def test_the_same_seed_gives_the_same_and_another_another() -> None:
    learning, dev = dialogues(12, 1), dialogues(8, 2)
    settings = replace(SHORT, loss="ce+sslcl", epochs=2)
    first, again, other = (train(learning, dev, 3, replace(settings, seed=seed)) for seed in (0, 0, 1))
    assert first.losses == again.losses
    assert first.losses != other.losses


def test_the_best_epoch_on_development_is_what_is_given_back() -> None:
    dev = dialogues(12, 2)
    trained = train(dialogues(20, 1), dev, 3, replace(SHORT, epochs=5, rate=0.05))
    found, _ = evaluate(trained.model, dev, 3)
    assert found.selection == pytest.approx(max(trained.history))


def test_nothing_but_the_labels_of_its_own_part_is_trained_on() -> None:
    """Labels that are masked out, padding, and the test part's features change nothing."""
    learning, dev = dialogues(12, 1), dialogues(8, 2)
    keep = torch.rand(learning.mask.shape, generator=torch.Generator().manual_seed(0)) < 0.5
    part = restrict(learning, keep)
    assert ((part.labels == NONE) | keep).all()
    assert torch.equal(part.features, learning.features)
    rubbish = replace(
        part,
        features=part.features.masked_fill(~part.mask[..., None], 1e6),
        speakers=part.speakers.masked_fill(~part.mask, 7),
    )
    assert train(part, dev, 3, SHORT).losses == train(rubbish, dev, 3, SHORT).losses


def test_a_loss_without_scores_gets_a_classifier_that_does_not_move_the_encoder() -> None:
    learning = dialogues(12, 1)
    model = ConversationModel(learning, 3, replace(SHORT, loss="supcon"))
    assert model.classifier is not None
    model.loss = make_loss("ce*0", 3, 16, learning.counts(3))  # nothing but the classifier's own cross-entropy is left
    model.training_loss(learning).backward()
    assert (model.classifier.weight.grad != 0).any()
    assert all(p.grad is None or not p.grad.any() for p in model.encoder.parameters())


def test_masked_views_hide_the_other_modalities() -> None:
    data = dialogues(6, 1)
    model = ConversationModel(data, 3, replace(SHORT, loss="ce+sslcl")).eval()
    changed = replace(data, features=data.features.clone())
    changed.features[..., 5:] += 7
    torch.testing.assert_close(model.represent(changed, ["one"]), model.represent(data, ["one"]))
    assert not torch.allclose(model.represent(changed), model.represent(data))
    assert masked_views(["t", "a", "v"]) == [["t"], ["t", "a"], ["t", "v"]]
    assert masked_views(["t", "a"]) == [["t"]]
    assert masked_views(["t"]) == []
    trained = train(data, dialogues(6, 2), 3, replace(SHORT, loss="ce+sslcl", views=True))
    assert np.isfinite(trained.losses).all()


def test_losses_are_read_from_their_names() -> None:
    assert parse("ce+sslcl:momentum=0.9,prior=training*0.5") == [
        Part("ce", 1.0, {}),
        Part("sslcl", 0.5, {"momentum": 0.9, "prior": "training"}),
    ]
    made = make_loss("ce*2+sslcl:label_layers=3,similarity=cosine*0.5", 3, 8, [3, 2, 1])
    assert isinstance(made, Combined)
    assert made.part_weights == [2, 0.5]
    part = made.parts[1]
    assert isinstance(part, SSLCL)
    assert part.similarity == "cosine"


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("cee", "unknown loss 'cee': use ce, "),
        ("ce:gamma=2", "gamma"),
        ("ce*much", "write it as"),
        ("sslcl:momentum", "write it as"),
        ("sslcl:similarity=sine", "soft_hgr"),
        ("", "unknown loss"),
    ],
)
def test_a_loss_that_cannot_be_made_says_why(text: str, says: str) -> None:
    with pytest.raises(PipelineError, match=says.replace("*", r"\*")):
        make_loss(text, 3, 8, [3, 2, 1])


def test_settings_that_cannot_be_used() -> None:
    with pytest.raises(PipelineError, match="at least one epoch"):
        train(dialogues(4, 1), dialogues(4, 2), 3, replace(SHORT, epochs=0))
    nothing = restrict(dialogues(4, 1), torch.zeros(4, 6, dtype=torch.bool)[:, : dialogues(4, 1).mask.shape[1]])
    with pytest.raises(PipelineError, match="fewer than two labelled"):
        train(nothing, dialogues(4, 2), 3, SHORT)


def test_f1_is_scikit_learns() -> None:
    rng = np.random.default_rng(0)
    y, predicted = rng.integers(0, 4, 200), rng.integers(0, 4, 200)
    y[y == 2] = 3  # a class that is only ever predicted
    found = scores(y, predicted, 4)
    np.testing.assert_allclose(found.each, f1_score(y, predicted, average=None, labels=range(4), zero_division=0))
    assert found.macro == pytest.approx(f1_score(y, predicted, average="macro", labels=[0, 1, 3]))
    assert found.weighted == pytest.approx(f1_score(y, predicted, average="weighted", labels=[0, 1, 3]))


def test_predictions_survive_being_text() -> None:
    predicted = np.array([0, 9, 10, 35, 2])
    assert as_text(predicted) == "09AZ2"
    assert from_text(as_text(predicted)).tolist() == predicted.tolist()
