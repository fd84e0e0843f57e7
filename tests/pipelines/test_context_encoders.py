"""The contract of every context encoder, and what each of them is said to do."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from pipelines.conversation import CONTEXTS, ContextEncoder, build_context
from pipelines.conversation.gcn import GraphContext
from pipelines.conversation.gru import RecurrentContext, _Parties, _reversed
from pipelines.errors import PipelineError

LENGTHS = (7, 1, 4)
Batch = tuple[Tensor, Tensor, Tensor]


@pytest.fixture
def batch() -> Batch:
    """Three dialogues of 7, 1 and 4 turns, three speakers at most."""
    generator = torch.Generator().manual_seed(1)
    mask = torch.arange(7) < torch.tensor(LENGTHS)[:, None]
    speakers = torch.tensor([[0, 1, 0, 2, 1, 0, 2], [0] * 7, [0, 1, 1, 0, 0, 0, 0]])
    return torch.randn(3, 7, 12, generator=generator), speakers, mask


def made(name: str, causal: bool = False) -> ContextEncoder:
    torch.manual_seed(0)
    encoder = build_context(name, 12, 16, causal=causal)
    with torch.no_grad():  # relative positions and speakers begin near 0: give them something to show
        for parameter in encoder.parameters():
            parameter.add_(0.1 * torch.randn_like(parameter))
    return encoder.eval()


@pytest.mark.parametrize("causal", [False, True])
@pytest.mark.parametrize("name", CONTEXTS)
def test_padding_changes_nothing(name: str, causal: bool, batch: Batch) -> None:
    x, speakers, mask = batch
    encoder = made(name, causal)
    out = encoder(x, speakers, mask)
    assert out.shape == (3, 7, 16)
    assert (out[~mask] == 0).all()
    rubbish = x.masked_fill(~mask[..., None], float("nan")), speakers.masked_fill(~mask, 99), mask
    torch.testing.assert_close(encoder(*rubbish), out)
    for i, n in enumerate(LENGTHS):  # each dialogue alone, without any padding
        alone = encoder(x[i : i + 1, :n], speakers[i : i + 1, :n], mask[i : i + 1, :n])
        torch.testing.assert_close(alone[0], out[i, :n], atol=1e-5, rtol=1e-4)


@pytest.mark.parametrize("name", CONTEXTS)
def test_a_causal_encoder_does_not_look_ahead(name: str, batch: Batch) -> None:
    x, speakers, mask = batch
    encoder = made(name, causal=True)
    before = encoder(x, speakers, mask)
    for turn in range(1, 7):
        changed, others = x.clone(), speakers.clone()
        changed[0, turn:] += 3
        others[0, turn:] = 1 - others[0, turn:].clamp(max=1)
        after = encoder(changed, others, mask)
        torch.testing.assert_close(after[0, :turn], before[0, :turn])
        assert not torch.allclose(after[0, turn], before[0, turn])
    # And what is said so far is as with the rest of the dialogue cut off: what live annotation sees.
    torch.testing.assert_close(
        encoder(x[:1, :3], speakers[:1, :3], mask[:1, :3])[0], before[0, :3], atol=1e-5, rtol=1e-4
    )


@pytest.mark.parametrize("name", CONTEXTS)
def test_context_is_heard_from_before_and_unless_causal_from_after(name: str, batch: Batch) -> None:
    x, speakers, mask = batch
    for causal in (False, True):
        encoder = made(name, causal)
        inputs = x.clone().requires_grad_()
        encoder(inputs, speakers, mask)[0, 3].square().sum().backward()
        assert inputs.grad is not None
        heard = inputs.grad[0].abs().sum(-1) > 0
        assert heard[:4].all()
        assert heard[4:].any() != causal
        assert not (inputs.grad[1:] != 0).any()  # no dialogue hears another


@pytest.mark.parametrize("name", CONTEXTS)
def test_who_speaks_matters(name: str, batch: Batch) -> None:
    x, speakers, mask = batch
    encoder = made(name)
    assert not torch.allclose(encoder(x, speakers, mask)[0], encoder(x, torch.zeros_like(speakers), mask)[0])


@pytest.mark.parametrize("causal", [False, True])
@pytest.mark.parametrize("name", CONTEXTS)
def test_every_parameter_learns(name: str, causal: bool, batch: Batch) -> None:
    encoder = made(name, causal).train()
    encoder(*batch).square().sum().backward()
    for key, parameter in encoder.named_parameters():
        assert parameter.grad is not None, key
        assert parameter.grad.isfinite().all(), key
        assert (parameter.grad != 0).any(), key


def test_more_speakers_than_are_told_apart(batch: Batch) -> None:
    x, _, mask = batch
    crowd = torch.arange(7).expand(3, 7) * 5
    for name in CONTEXTS:
        assert made(name)(x, crowd, mask).isfinite().all()


def test_an_unknown_encoder_is_refused_with_the_known_ones() -> None:
    with pytest.raises(PipelineError, match="use gru, transformer, gcn"):
        build_context("lstm", 4)


def test_a_party_state_moves_only_on_its_speakers_turns(batch: Batch) -> None:
    """Literal: run the party GRU turn by turn and speaker by speaker."""
    _, speakers, mask = batch
    encoder = made("gru", causal=True)
    assert isinstance(encoder, RecurrentContext)
    direction = encoder.forwards
    heard = torch.randn(3, 7, 12 + 16)
    quick = direction._own_turns(heard, _Parties.of(speakers.masked_fill(~mask, 0), mask))
    for i, n in enumerate(LENGTHS):
        states: dict[int, Tensor] = {}
        for t in range(n):
            who = int(speakers[i, t])
            past = states.get(who, torch.zeros(1, 1, 16))
            _, states[who] = direction.party(heard[i, t][None, None], past)
            torch.testing.assert_close(quick[i, t], states[who][0, 0])


def test_parties_of_a_reversed_dialogue(batch: Batch) -> None:
    _, speakers, mask = batch
    speakers = speakers.masked_fill(~mask, 0)
    turned = _reversed(mask)
    assert turned[2].tolist() == [3, 2, 1, 0, 4, 5, 6]
    there = _Parties.of(speakers, mask).reversed(turned)
    again = _Parties.of(speakers.gather(1, turned), mask)

    def places(parties: _Parties) -> set[tuple[int, ...]]:
        return set(
            zip(*(p.tolist() for p in (parties.row, parties.column, parties.sequence, parties.turn)), strict=True)
        )

    assert places(there) == places(again)


def test_the_graph_joins_the_turns_within_its_window_by_speaker_and_time() -> None:
    speakers = torch.tensor([[0, 1, 0] + [1] * 12])
    mask = torch.ones(1, 15, dtype=torch.bool)
    mask[0, 14] = False
    encoder = made("gcn")
    assert isinstance(encoder, GraphContext)
    same_past, other_past, same_future, other_future = encoder._edges(speakers, mask)[0]
    assert same_past[2].nonzero().flatten().tolist() == [0]
    assert other_past[2].nonzero().flatten().tolist() == [1]
    assert same_future[0].nonzero().flatten().tolist() == [2]
    assert other_future[0].nonzero().flatten().tolist() == [1, *range(3, 11)]  # ten turns ahead, not more
    assert same_future[3].nonzero().flatten().tolist() == list(range(4, 14))  # not the padding
    torch.testing.assert_close(other_future[0].sum(), torch.tensor(1.0))
