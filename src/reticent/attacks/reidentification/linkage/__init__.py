"""Probabilistic record linkage: which row of a named register belongs to which row of a release.

Example:
    >>> from reticent.attacks.reidentification.linkage import KINDS
    >>> KINDS[0]
    'name'
"""

from reticent.attacks.reidentification.linkage.fields import KINDS, Field, fields_of
from reticent.attacks.reidentification.linkage.judging import People
from reticent.attacks.reidentification.linkage.linking import Link, Linkage, link
from reticent.attacks.reidentification.linkage.releases import Effects, effects, weaker

__all__ = ["KINDS", "Effects", "Field", "Link", "Linkage", "People", "effects", "fields_of", "link", "weaker"]
