"""One conjugate prior per side, against the formulas record by record in plain Python."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy import stats

from reticent.attacks.membership.shrunken import Shrunken
from reticent.models import Signals


def signals_of(odds):
    return Signals(odds, -np.logaddexp(0, -odds), odds > 0)


def world(seed, models=9, records=50):
    draw = np.random.default_rng(seed)
    membership = draw.random((models, records)) < 0.5
    return 3 * draw.normal(size=records) + membership + draw.normal(size=(models, records)), membership


def side_of(target, values, membership, side, start):
    records = range(values.shape[1])
    own = [values[membership[:, r] == side, r] for r in records]
    within = sum(((v - v.mean()) ** 2).sum() for v in own if len(v)) / sum(len(v) - 1 for v in own if len(v))
    seen = [r for r in records if len(own[r])]
    between = np.mean([(own[r].mean() - start[r]) ** 2 for r in seen]) - np.mean([within / len(own[r]) for r in seen])
    kappa, logs, centres = within / max(between, 1e-3 * within), [], []
    for r in records:
        n = len(own[r])
        mean = own[r].mean() if n else 0.0
        residual = ((own[r] - mean) ** 2).sum() if n else 0.0
        centre = (kappa * start[r] + n * mean) / (kappa + n)
        square = (4 * within + residual + kappa * n / (kappa + n) * (mean - start[r]) ** 2) / (4 + n)
        scale = math.sqrt(square * (kappa + n + 1) / (kappa + n))
        logs.append(stats.t.logpdf(target[r], 4 + n, centre, scale))
        centres.append(centre)
    return np.array(logs), np.array(centres)


@pytest.mark.parametrize("regressed", [False, True])
@pytest.mark.parametrize("models", [3, 9])
def test_equals_the_loop(regressed, models):
    values, membership = world(models, models)
    target, others, inside = values[0], values[1:], membership[1:]
    means = {side: [others[inside[:, r] == side, r] for r in range(50)] for side in (True, False)}
    grand = {side: np.full(50, np.mean([v.mean() for v in rows if len(v)])) for side, rows in means.items()}
    outside, centres = side_of(target, others, inside, False, grand[False])
    start = grand[True]
    if regressed:
        counts = inside.sum(axis=0)
        averages = [v.mean() if len(v) else 0.0 for v in means[True]]
        slope, level = np.polyfit(centres, averages, 1, w=np.sqrt(counts))
        start = level + slope * centres
    expected = side_of(target, others, inside, True, start)[0] - outside
    found = Shrunken(regressed).score(signals_of(values[:1]), signals_of(others), inside)
    np.testing.assert_allclose(found, expected, rtol=1e-7, atol=1e-7)
