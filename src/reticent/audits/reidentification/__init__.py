"""Re-identification: from matches to findings, with intervals over people and what guessing gives beside them."""

from reticent.audits.reidentification.given import GivenRelease, reidentify_given
from reticent.audits.reidentification.power import none_needed, paired_difference, power_of, targets_needed
from reticent.audits.reidentification.singled_out import SinglingOut, held_out_needed, single_out
from reticent.audits.reidentification.sparse import Reidentification, reidentify, standard_releases
from reticent.audits.reidentification.unique import Unicity, unicity

__all__ = [
    "GivenRelease",
    "Reidentification",
    "SinglingOut",
    "Unicity",
    "held_out_needed",
    "none_needed",
    "paired_difference",
    "power_of",
    "reidentify",
    "reidentify_given",
    "single_out",
    "standard_releases",
    "targets_needed",
    "unicity",
]
