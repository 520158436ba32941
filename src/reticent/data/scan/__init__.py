"""What in tables and texts is about people: a scan, its detectors, and the lists it is held against.

Example:
    >>> from reticent.data.scan import scan
    >>> [one.kind for one in scan({"ssn": ["536-90-4399", "219-09-1234"]}).direct]
    ['US social security number']
"""

from reticent.data.scan.judging import CONFIDENCES, Found, Unclear
from reticent.data.scan.outcome import FAILING, Scan, ScannedColumn, ScannedSource
from reticent.data.scan.scanning import TEXTS, scan
from reticent.data.scan.tally import DETECTORS
from reticent.data.scan.text import Entity, entities
from reticent.data.scan.uniqueness import SingledOut

__all__ = [
    "CONFIDENCES",
    "DETECTORS",
    "FAILING",
    "Entity",
    "Found",
    "Scan",
    "ScannedColumn",
    "ScannedSource",
    "SingledOut",
    "TEXTS",
    "Unclear",
    "entities",
    "scan",
]
