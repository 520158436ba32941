"""The generator called again and again: shadow releases of random halves, each row in by a fair coin.

Promise: memberships are drawn here, independently and fairly, so whatever an attack finds is the generator's doing and
no difference between source and control. Attacks that learn from shadow releases are judged on others, with coins that
nothing was learned from. Intervals are over releases and rows together: they say how the generator does on another
draw, which no single release can.

How: the rows that are judged (source and control together) are one pool; each release is made from those whose coin
fell heads, about as many as the source. An attack's area under the ROC curve is taken within each release and
averaged. Its p-value comes from the coins: the sum of (coin - 1/2) times the centred rank within the release has a
known variance whatever the ranks, and is normal over some thousand coins. Intervals draw releases and rows anew, both
with replacement.

Not covered: rows that are drawn together; each has its own coin, and with `owner` there is one row for each person.
A generator that gives the same release for another seed is said to (`anew`): its intervals hold for that one draw.

Sources: Houssiau et al. (2022) and Stadler, Oprisanu and Troncoso (2022) for shadow releases; Owen (2007) for drawing
both ways.

Example:
    >>> import numpy as np
    >>> from reticent.audits.synthetic.shadows import judged
    >>> from reticent.randomness import Randomness
    >>> coins = Randomness.simulated(1).bernoulli(0.5, 8 * 100).reshape(8, 100)
    >>> area, p = judged(coins * 1.0, coins, Randomness.simulated(2), 0.95)
    >>> area.value, p.more < 1e-6
    (1.0, True)
"""

from __future__ import annotations

import dataclasses
import math
import traceback
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.stats import norm, rankdata

from reticent import _checks
from reticent.attacks.synthetic import Encoded, Queries, calibrated_distance, learned
from reticent.audits.synthetic.exact import PValues
from reticent.audits.synthetic.exposed import RowsAtRisk, against_coins
from reticent.audits.synthetic.outcome import GENERATOR, Result
from reticent.audits.synthetic.preparing import Prepared
from reticent.audits.synthetic.scoring import scored
from reticent.data.tables import Table
from reticent.errors import DataError, ReticentError, UsageError
from reticent.evidence import Estimate, Finding
from reticent.randomness import Randomness

__all__ = ["Generator", "Shadows", "findings", "judged", "made", "rows_at_risk"]

Floats = npt.NDArray[np.float64]
Booleans = npt.NDArray[np.bool_]
Generator = Callable[[Table, int], Any]
"""Makes a table (or what `Table.of` takes) from a table and a seed."""

_LEAST = 4
_DRAWS = 300
_EXPOSURE = "a release of the generator, a reference, and the generator to call"


@dataclasses.dataclass(frozen=True, eq=False)
class Shadows:
    """Shadow releases.

    Attributes:
        releases: encoded.
        membership: (releases, targets) who was in the table that each was made from.
        targets: the rows that are judged.
        are_members: (targets,) whether they are rows of the source.
        anew: whether another seed gave another release of the same table.
        places: (targets,) their place among all judged rows, those of the source first.
    """

    releases: tuple[Encoded, ...]
    membership: Booleans
    targets: Encoded
    are_members: Booleans
    anew: bool
    places: npt.NDArray[np.int64]


def made(
    ready: Prepared,
    generator: Generator,
    *,
    count: int,
    targets: int,
    progress: Callable[[str, int, int], None] | None = None,
) -> Shadows:
    """Call the generator on random halves of source and control.

    Args:
        ready: the tables.
        generator: makes a table from a table and a seed.
        count: how many releases are made.
        targets: rows that are judged in all of them.
        progress: called with a name, how many are done, and of how many.

    Raises:
        UsageError: fewer than four releases.
        DataError: the generator raised an error, or its table lacks a column or has no rows.
    """
    if _checks.at_least(1, count=count) < _LEAST:
        raise UsageError(f"Expected at least {_LEAST} shadow releases, got {count}.", "Make 16 or more.")
    source = ready.randomness.spawn("shadows")
    pool, sizes = _joined(ready.tables["members"], ready.tables["controls"])
    coins = source.bernoulli(0.5, count * pool.rows).reshape(count, pool.rows)
    releases = []
    for place, inside in enumerate(coins):
        table = _called(generator, pool.take(inside), source.seed(), ready)
        releases.append(ready.encoding.of(table))
        if progress is not None:
            progress("shadow releases", place + 1, count)
    again = ready.encoding.of(_called(generator, pool.take(coins[0]), source.seed(), ready))
    chosen = np.sort(source.permutation(pool.rows)[:targets])
    return Shadows(
        tuple(releases),
        coins[:, chosen],
        ready.encoding.of(pool.take(chosen)),
        chosen < sizes[0],
        not _same(again, releases[0]),
        chosen,
    )


def findings(ready: Prepared, shadows: Shadows, baseline: Mapping[str, Estimate]) -> list[Result]:
    """What attacks find in fresh releases of the generator, and the learned one in the release itself."""
    source, reference = ready.randomness.spawn("judging"), ready.reference
    queries = Queries.drawn(reference, source.spawn("queries"))
    features = np.stack([queries.features(shadows.targets, one, ready.kernel) for one in shadows.releases])
    half = len(shadows.releases) // 2
    attack = learned(features[:half], shadows.membership[:half])
    by_name: dict[str, tuple[Floats, Booleans]] = {
        "shadow releases: density ratio": (
            features[:, :, -1] - ready.kernel.log_density(shadows.targets, reference),
            shadows.membership,
        ),
        "shadow releases: calibrated distance": (
            np.stack(
                [calibrated_distance(shadows.targets, release=one, reference=reference) for one in shadows.releases]
            ),
            shadows.membership,
        ),
        "shadow releases: counting queries": (attack.scores(features[half:]), shadows.membership[half:]),
    }
    # Without any release: does a row's density in the population say how its coins fell? It cannot.
    blind = np.tile(ready.kernel.log_density(shadows.targets, reference), (len(shadows.membership), 1))
    without, _ = judged(blind, shadows.membership, source.spawn("blind"), ready.confidence)
    found = []
    for name, (scores, membership) in by_name.items():
        area, p = judged(scores, membership, source.spawn(name), ready.confidence)
        details = {"releases": len(membership), "targets": membership.shape[1], "drawn_anew": shadows.anew}
        if len(membership) < len(shadows.releases):
            details["learned_from"] = half
        finding = Finding(
            name, GENERATOR, _EXPOSURE, {"auc": area}, {"auc by the reference alone": without}, details=details
        )
        found.append(Result(finding, {"right one of two": p}))
    here = attack.scores(queries.features(shadows.targets, ready.release, ready.kernel))
    sides = shadows.are_members
    if sides.any() and not sides.all():
        name = "membership by counting queries"
        found.append(scored(name, _EXPOSURE, here[sides], here[~sides], ready, baseline))
    return found


def rows_at_risk(ready: Prepared, shadows: Shadows, level: float) -> RowsAtRisk:
    """The targets of the source that the generator exposes.

    Args:
        ready: the tables.
        shadows: releases of known memberships.
        level: the false discovery rate.
    """
    inside = shadows.are_members
    targets = shadows.targets.take(inside)
    scores = np.stack(
        [calibrated_distance(targets, release=one, reference=ready.reference) for one in shadows.releases]
    )
    return against_coins(scores, shadows.membership[:, inside], ready.source_rows[shadows.places[inside]], level)


def judged(scores: Floats, membership: Booleans, randomness: Randomness, confidence: float) -> tuple[Estimate, PValues]:
    """The mean area under the ROC curves within each release, with its interval, and the test against the coins."""
    kept = membership.any(axis=1) & ~membership.all(axis=1)
    scores, membership = scores[kept], membership[kept]
    releases, targets = scores.shape
    ranks = np.stack([rankdata(row) for row in scores])
    ones = np.ones((1, targets))
    value = float(np.mean([_areas(*one, ones)[0] for one in zip(scores, membership, strict=True)]))
    rows = np.stack(
        [np.bincount(randomness.integers(targets, targets), minlength=targets) for _ in range(_DRAWS)]
    ).astype(np.float64)
    drawn = np.stack([_areas(*one, rows) for one in zip(scores, membership, strict=True)])  # (releases, draws)
    weights = np.stack(
        [np.bincount(randomness.integers(releases, releases), minlength=releases) for _ in range(_DRAWS)]
    )
    means = (drawn * weights.T).sum(axis=0) / releases
    low, high = np.quantile(means, [(1 - confidence) / 2, (1 + confidence) / 2])
    estimate = Estimate(
        value,
        max(0.0, min(float(low), value)),
        min(1.0, max(float(high), value)),
        confidence,
        releases * targets,
        f"mean over {releases} releases; bootstrap over releases and rows, {_DRAWS} draws",
    )
    return estimate, _against_coins(ranks, membership)


def _against_coins(ranks: Floats, membership: Booleans) -> PValues:
    centred = ranks - ranks.mean(axis=1, keepdims=True)
    deviation = 0.5 * math.sqrt(float((centred**2).sum()))
    if deviation == 0:
        return PValues(1.0, 1.0)
    z = float(((membership - 0.5) * centred).sum()) / deviation
    return PValues(float(norm.sf(z)), float(norm.cdf(z)))


def _areas(scores: Floats, inside: Booleans, weights: Floats) -> Floats:
    """(draws,) areas under the ROC curve with weighted rows, ties counting half."""
    values, place = np.unique(scores, return_inverse=True)
    members, others = np.zeros((len(values), len(weights))), np.zeros((len(values), len(weights)))
    np.add.at(members, place[inside], weights[:, inside].T)
    np.add.at(others, place[~inside], weights[:, ~inside].T)
    below = np.cumsum(others, axis=0) - others / 2
    total = members.sum(axis=0) * others.sum(axis=0)
    won = (members * below).sum(axis=0)
    return np.asarray(np.divide(won, total, out=np.full(len(weights), 0.5), where=total > 0))


def _joined(members: Table, controls: Table) -> tuple[Table, tuple[int, int]]:
    import pyarrow as pa

    both = pa.concat_tables([members.to_arrow(), controls.to_arrow()], promote_options="permissive")
    return Table.of(both), (members.rows, controls.rows)


def _called(generator: Generator, table: Table, seed: int, ready: Prepared) -> Table:
    try:
        made_table = Table.of(generator(table, seed))
    except ReticentError:
        raise
    except Exception as error:
        raise DataError(
            f"Expected the generator to make a table from a table and a seed, but it raised {type(error).__name__} "
            f"({_where(error)}).",
            "It is given a reticent Table (`.to_arrow().to_pandas()` for pandas) and a whole number.",
        ) from error
    names = ready.tables["release"].names
    lacking = [name for name in names if name not in made_table]
    if lacking or not made_table.rows:
        raise DataError(
            f"Expected the generator's table to have rows and the release's columns, got {made_table.rows} rows"
            f"{f' without {lacking[0]!r}' if lacking else ''}.",
            "Let the generator give the same columns each time.",
        )
    return made_table.select(names)


def _where(error: Exception) -> str:
    """File and line; never the error's words, which may hold a cell."""
    last = traceback.extract_tb(error.__traceback__)[-1]
    return f"{Path(last.filename).name}, line {last.lineno}"


def _same(one: Encoded, other: Encoded) -> bool:
    return np.array_equal(one.numbers, other.numbers) and np.array_equal(one.codes, other.codes)
