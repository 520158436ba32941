"""Training: per-example gradients, private steps, samplers, the loop, and `make_private` for loops of your own."""

from reticent.training.checking import ModelCheck, check_model
from reticent.training.gradients import PerExampleModel, refuse_mixing
from reticent.training.loading import PrivateLoader
from reticent.training.loop import Run, train
from reticent.training.mechanism import PrivateSum, clipped_sum
from reticent.training.prediction import PrivatePredictor
from reticent.training.private import Private, make_private
from reticent.training.recipe import Recipe
from reticent.training.sampling import planned_batches, shuffled_batches
from reticent.training.steps import Augment, Progress
from reticent.training.teachers import Teachers, train_teachers
from reticent.training.teaching import Taught, teach

__all__ = [
    "Augment",
    "ModelCheck",
    "PerExampleModel",
    "Private",
    "PrivateLoader",
    "PrivatePredictor",
    "PrivateSum",
    "Progress",
    "Recipe",
    "Run",
    "Taught",
    "Teachers",
    "check_model",
    "clipped_sum",
    "make_private",
    "planned_batches",
    "refuse_mixing",
    "shuffled_batches",
    "teach",
    "train",
    "train_teachers",
]
