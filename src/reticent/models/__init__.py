"""Models and what they show: adapters that let an attack ask a model, under a stated exposure."""

from reticent.models.endpoint import Endpoint
from reticent.models.exposure import Exposure
from reticent.models.fleet import Fleet
from reticent.models.onnx_file import OnnxModel
from reticent.models.signals import Signals
from reticent.models.target import Target
from reticent.models.text import TextClassifier, tokenized

__all__ = ["Endpoint", "Exposure", "Fleet", "OnnxModel", "Signals", "Target", "TextClassifier", "tokenized"]
