"""Models and what they show: adapters that let an attack ask a model, under a stated exposure."""

from reticent.models.exposure import Exposure
from reticent.models.fleet import Fleet
from reticent.models.signals import Signals
from reticent.models.target import Target

__all__ = ["Exposure", "Fleet", "Signals", "Target"]
