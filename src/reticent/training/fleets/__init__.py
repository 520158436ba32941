"""Fleets: many models of one training, on parts of the records, side by side, in processes or on other machines."""

from reticent.training.fleets.choosing import choose
from reticent.training.fleets.fingerprints import fingerprint
from reticent.training.fleets.fitting import fit_many
from reticent.training.fleets.learners import Trainer, sklearn_trainer
from reticent.training.fleets.stacks import Way
from reticent.training.fleets.store import Store
from reticent.training.fleets.workers import RayExecutor

__all__ = ["RayExecutor", "Store", "Trainer", "Way", "choose", "fingerprint", "fit_many", "sklearn_trainer"]
