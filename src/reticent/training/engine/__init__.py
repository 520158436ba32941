"""The gradient engine.

Promise: one backward pass gives every example's own gradient, exact for any module, in whatever form is cheapest to
hold; see `recording` for how, `contributions` for the forms, and `rules` for the operations that have one of their own.
"""

from reticent.training.engine import structures
from reticent.training.engine.recording import Recording, record
from reticent.training.engine.tape import Gathered

__all__ = ["Gathered", "Recording", "record", "structures"]
