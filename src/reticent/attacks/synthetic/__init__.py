"""What does a synthetic table give away about the rows it was made from? Scores, guesses, matches and copies."""

from reticent.attacks.synthetic.attributes import Secret, guesses, secret_of
from reticent.attacks.synthetic.copies import Copies, copies, description
from reticent.attacks.synthetic.densities import Kernel
from reticent.attacks.synthetic.distances import fewest_differences, nearest
from reticent.attacks.synthetic.encoding import Encoded, Encoding
from reticent.attacks.synthetic.linking import linked
from reticent.attacks.synthetic.membership import calibrated_distance, density_ratio
from reticent.attacks.synthetic.queries import Learned, Queries, learned
from reticent.attacks.synthetic.singling_out import Predicates, predicates

__all__ = [
    "Copies",
    "Encoded",
    "Encoding",
    "Kernel",
    "Learned",
    "Predicates",
    "Queries",
    "Secret",
    "calibrated_distance",
    "copies",
    "density_ratio",
    "description",
    "fewest_differences",
    "guesses",
    "learned",
    "linked",
    "nearest",
    "predicates",
    "secret_of",
]
