"""Models and what they show: adapters that let an attack ask a model, under a stated exposure."""

from reticent.models.target import Exposure, Target

__all__ = ["Exposure", "Target"]
