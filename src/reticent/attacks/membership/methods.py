"""Every method over stored answers that takes the same three arguments, by name.

Promise: `METHODS` maps a name to a method with its usual parameters; others are made with the classes themselves.
`DEFAULT` is the one that audits use.

Two attacks over stored answers need more than references' answers and stand by themselves: `quantile` (features, and no
reference models) and `trajectory` (the answers of several epochs). Audits run them under these names, too, as further
attacks: `reticent.audits.learned`.

Example:
    >>> from reticent.attacks.membership import METHODS
    >>> METHODS["calibrated"].meaning
    'log p(label) less its mean over the models without the record'
    >>> [name for name, method in METHODS.items() if "in-models" in method.needs]
    ['student', 'shrunken', 'shrunken_regressed', 'lira', 'lira_record', 'lira_blended']
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from reticent.attacks.membership.likelihood_ratio import LikelihoodRatio, LikelihoodRatioOffline
from reticent.attacks.membership.method import Method
from reticent.attacks.membership.relative import Relative, RelativeOffline
from reticent.attacks.membership.shrunken import Shrunken
from reticent.attacks.membership.simple import Calibrated, Loss, Population, Reference
from reticent.attacks.membership.student import Student, StudentOffline

__all__ = ["DEFAULT", "METHODS"]

DEFAULT: Method = Student()
"""The method of audits."""

METHODS: Mapping[str, Method] = MappingProxyType(
    {
        "student": DEFAULT,
        "student_offline": StudentOffline(),
        "shrunken": Shrunken(regressed=False),
        "shrunken_regressed": Shrunken(),
        "lira": LikelihoodRatio(),
        "lira_record": LikelihoodRatio("record"),
        "lira_blended": LikelihoodRatio("blended"),
        "lira_offline": LikelihoodRatioOffline(),
        "rmia": Relative(),
        "rmia_balanced": Relative(balanced=True),
        "rmia_offline": RelativeOffline(),
        "calibrated": Calibrated(),
        "reference": Reference(),
        "population": Population(),
        "loss": Loss(),
    }
)
"""Name to method, with its usual parameters."""
