"""What is fitted on features in a fast round: self-training LDA, in a mixture over speaker normalisations."""

from .fast_round import FastRound, fit_round
from .mixture import CrossValidated, held_out_groups
from .pool import Extra, PoolFeatures, RoundModel

__all__ = ["CrossValidated", "Extra", "FastRound", "PoolFeatures", "RoundModel", "fit_round", "held_out_groups"]
