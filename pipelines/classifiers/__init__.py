"""What is fitted on features in a fast round: self-training LDA, in a mixture over speaker normalisations."""

from .fast_round import FastRound, fit_round
from .pool import PoolFeatures, RoundModel

__all__ = ["FastRound", "PoolFeatures", "RoundModel", "fit_round"]
