"""Audit a scikit-learn classifier for membership, at three exposures.

Run: python examples/audit_a_classifier.py

    >>> table = main(shadows=12)
    >>> sorted(table)
    ['label', 'logits', 'scores']
    >>> table["logits"].low > 0.5  # a fully grown forest knows its training records
    True
"""

from __future__ import annotations

from sklearn.ensemble import RandomForestClassifier

import reticent as rt
from reticent.audits import split
from reticent.data import Records, load


def fit(records: Records, randomness: rt.Randomness) -> RandomForestClassifier:
    """A forest as one would train it."""
    return RandomForestClassifier(n_estimators=50, random_state=randomness.seed() % 2**32).fit(
        records.features, records.labels
    )


def main(shadows: int = 32) -> dict[str, rt.Estimate]:
    """The attack's area under the ROC curve, by what the attacker sees."""
    source = rt.Randomness.simulated(2)
    members, others = split(load("breast_cancer"), source)
    model = fit(members, source.spawn("target"))
    found = {}
    for exposure in rt.Exposure:
        audit = rt.audit(model, members, others, trainer=fit, shadows=shadows, exposure=exposure, randomness=source)
        found[exposure.value] = audit.repeated.estimates["auc"]
    return found


if __name__ == "__main__":
    for shown, auc in main().items():
        print(f"{shown:8} {auc}")
