"""reticent: find out what a neural network gives away about its training data, and train it so that it does not.

The names below are the front door; each room has more. Importing reticent loads no torch: a name is loaded when it is
first used.

Example:
    >>> import reticent as rt
    >>> rt.Plan.calibrate(epsilon=3, delta=1e-5, dataset_size=50_000, batch_size=500, epochs=3).steps
    300
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from reticent._rooms import lazily

if TYPE_CHECKING:
    from reticent.audits import Arm, Audit, Comparison, audit, audit_release, compare, split
    from reticent.audits.reidentification import reidentify, reidentify_given
    from reticent.data import Records, load_with
    from reticent.data.anonymity import anonymise, disclosure_risk
    from reticent.data.minimisation import minimise
    from reticent.data.scan import scan
    from reticent.data.tables import read
    from reticent.evidence import Estimate, Finding, Record
    from reticent.models import Exposure
    from reticent.privacy import Clipping, Guarantee, Plan, Relation, Unit
    from reticent.randomness import Randomness
    from reticent.training import Recipe, check_model, make_private, teach, train

__version__ = "0.1.0"

_ROOMS = {
    "Arm": "audits",
    "Audit": "audits",
    "Clipping": "privacy",
    "Comparison": "audits",
    "Estimate": "evidence",
    "Exposure": "models",
    "Finding": "evidence",
    "Guarantee": "privacy",
    "Plan": "privacy",
    "Randomness": "randomness",
    "Recipe": "training",
    "Record": "evidence",
    "Records": "data",
    "Relation": "privacy",
    "Unit": "privacy",
    "anonymise": "data.anonymity",
    "audit": "audits",
    "audit_release": "audits",
    "check_model": "training",
    "compare": "audits",
    "disclosure_risk": "data.anonymity",
    "load_with": "data",
    "make_private": "training",
    "scan": "data.scan",
    "minimise": "data.minimisation",
    "read": "data.tables",
    "reidentify": "audits.reidentification",
    "reidentify_given": "audits.reidentification",
    "split": "audits",
    "teach": "training",
    "train": "training",
}

__all__ = [
    "Arm",
    "Audit",
    "Clipping",
    "Comparison",
    "Estimate",
    "Exposure",
    "Finding",
    "Guarantee",
    "Plan",
    "Randomness",
    "Recipe",
    "Record",
    "Records",
    "Relation",
    "Unit",
    "anonymise",
    "audit",
    "audit_release",
    "check_model",
    "compare",
    "disclosure_risk",
    "load_with",
    "make_private",
    "scan",
    "minimise",
    "read",
    "reidentify",
    "reidentify_given",
    "split",
    "teach",
    "train",
]


__getattr__, __dir__ = lazily(__name__, _ROOMS, ("__version__",))
