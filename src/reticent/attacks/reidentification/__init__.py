"""Whose row is this? Sparse ratings, traces and tables held against what is known of a person from elsewhere."""

from reticent.attacks.reidentification.choosing import Chosen, beyond_ties, calibrated, choose
from reticent.attacks.reidentification.knowledge import Knowledge, Known, eligible, learned
from reticent.attacks.reidentification.matching import Matches, match
from reticent.attacks.reidentification.methods import CANDIDATES, Likelihood, Method, Scoreboard, ScoreboardRH

__all__ = [
    "CANDIDATES",
    "Chosen",
    "Knowledge",
    "Known",
    "Likelihood",
    "Matches",
    "Method",
    "Scoreboard",
    "ScoreboardRH",
    "beyond_ties",
    "calibrated",
    "choose",
    "eligible",
    "learned",
    "match",
]
