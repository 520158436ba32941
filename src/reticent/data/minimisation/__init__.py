"""Less of a table: which columns, values and rows a model can do without, with evidence that it can.

Example:
    >>> from reticent.data.minimisation import Generalisation
    >>> from reticent.data.minimisation.rules import Truncated
    >>> from reticent.data.minimisation.mapping import Mapped
    >>> Generalisation((Mapped("born", "date", Truncated("year")),)).kept[0].rule.words
    'the year'
"""

from reticent.data.minimisation.applying import apply_file
from reticent.data.minimisation.blocks import regrouped
from reticent.data.minimisation.mapping import Generalisation, Mapped
from reticent.data.minimisation.minimising import minimise
from reticent.data.minimisation.outcome import ColumnVerdict, Minimisation

__all__ = [
    "ColumnVerdict",
    "Generalisation",
    "Mapped",
    "Minimisation",
    "apply_file",
    "minimise",
    "regrouped",
]
