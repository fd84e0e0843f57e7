"""Recurrent context, after DialogueRNN (Majumder et al., AAAI 2019): global, party and emotion GRU.

Unlike there, the global GRU hears the utterances alone and not the party states: so each of the three runs over whole
sequences at once instead of turn by turn, which is many times faster.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import torch
from torch import Tensor, nn

from pipelines.conversation.contract import SPEAKERS, ContextEncoder


class RecurrentContext(ContextEncoder):
    """One direction when causal, else a second one, with its own parameters, from the end to the beginning."""

    def __init__(self, inputs: int, width: int, *, causal: bool = False, dropout: float = 0.3) -> None:
        super().__init__(inputs, width, causal=causal, dropout=dropout)
        hidden = width if causal else width // 2
        self.forwards = _Direction(inputs, hidden)
        self.backwards = None if causal else _Direction(inputs, width - hidden)

    def encode(self, features: Tensor, speakers: Tensor, mask: Tensor) -> Tensor:
        """As the contract says."""
        x = self.dropout(features)
        parties = _Parties.of(speakers, mask)
        out: Tensor = self.forwards(x, parties)
        if self.backwards is not None:
            turned = _reversed(mask)
            back = self.backwards(_take(x, turned), parties.reversed(turned))
            out = torch.cat([out, _take(back, turned)], dim=-1)
        dropped: Tensor = self.dropout(out)
        return dropped


@dataclass(frozen=True)
class _Parties:
    """Where each utterance of a batch stands: int (n,) each. row and column: in (B, T). sequence and turn: among the
    sequences of single speakers' turns. size: utterances of its sequence."""

    row: Tensor
    column: Tensor
    sequence: Tensor
    turn: Tensor
    size: Tensor

    @classmethod
    def of(cls, speakers: Tensor, mask: Tensor) -> _Parties:
        """The parties of a batch."""
        row, column = torch.nonzero(mask, as_tuple=True)
        # Sorted by dialogue and speaker (stable: in order of time), a party is a run of equal keys.
        keys = row * SPEAKERS + speakers[row, column]
        order = keys.argsort(stable=True)
        ordered = keys[order]
        starts = torch.ones_like(ordered, dtype=torch.bool)
        starts[1:] = ordered[1:] != ordered[:-1]
        sequence = starts.cumsum(0) - 1
        first = torch.nonzero(starts).squeeze(1)
        turn = torch.arange(len(keys), device=keys.device) - first[sequence]
        return cls(row[order], column[order], sequence, turn, sequence.bincount()[sequence])

    def reversed(self, turned: Tensor) -> _Parties:
        """The same in dialogues read from the end; turned: as `_reversed` gives it."""
        return replace(self, column=turned[self.row, self.column], turn=self.size - 1 - self.turn)


class _Direction(nn.Module):
    """Global GRU over the dialogue; attention over its past states; a GRU over each speaker's own turns, which hears
    the utterance and what the attention found; a GRU over those states in the dialogue's order."""

    def __init__(self, inputs: int, hidden: int) -> None:
        super().__init__()
        self.whole = nn.GRU(inputs, hidden, batch_first=True)
        self.query = nn.Linear(inputs, hidden, bias=False)
        self.party = nn.GRU(inputs + hidden, hidden, batch_first=True)
        self.emotion = nn.GRU(hidden, hidden, batch_first=True)

    def forward(self, x: Tensor, parties: _Parties) -> Tensor:
        """float (B, T, hidden). Padding stands behind the utterances, so no state that counts has heard it."""
        states, _ = self.whole(x)
        heard = torch.cat([x, self._past(x, states)], dim=-1)
        out: Tensor = self.emotion(self._own_turns(heard, parties))[0]
        return out

    def _past(self, x: Tensor, states: Tensor) -> Tensor:
        """What attention finds among the states before each turn; 0 at the first."""
        length = x.shape[1]
        scores = self.query(x) @ states.transpose(1, 2) / math.sqrt(states.shape[-1])
        earlier = torch.ones(length, length, dtype=torch.bool, device=x.device).tril(-1)
        # The first turn has no past: its row would be 0/0.
        weights = scores.masked_fill(~earlier, -math.inf)[:, 1:].softmax(dim=-1)
        found = weights @ states
        return torch.cat([torch.zeros_like(states[:, :1]), found], dim=1)

    def _own_turns(self, heard: Tensor, parties: _Parties) -> Tensor:
        """The party GRU: each (dialogue, speaker) is a sequence of its own."""
        place, turn = (parties.row, parties.column), (parties.sequence, parties.turn)
        packed = heard.new_zeros(int(parties.sequence[-1]) + 1, int(parties.size.max()), heard.shape[-1])
        states, _ = self.party(packed.index_put(turn, heard[place]))
        out: Tensor = states.new_zeros(*heard.shape[:2], states.shape[-1]).index_put(place, states[turn])
        return out


def _reversed(mask: Tensor) -> Tensor:
    """Where each place finds its utterance in a dialogue read from the end, int (B, T); padding stays."""
    at = torch.arange(mask.shape[1], device=mask.device).expand_as(mask)
    return torch.where(mask, mask.sum(1, keepdim=True) - 1 - at, at)


def _take(x: Tensor, places: Tensor) -> Tensor:
    return x.gather(1, places[..., None].expand(-1, -1, x.shape[-1]))
