"""From weights of evidence to who is who: probabilities, one-to-one, and a threshold that no label chose.

Promise: the probabilities know that a row of the release is of at most one row of the register: for release row i and
register row j, p_ij = (q/m) B_ij / (1 - q + (q/m) sum_j' B_ij'), with the likelihood ratios B, m register rows, and q
the share of release rows whose person is in the register. q is estimated from the weights alone (its
expectation-maximisation has one maximum). `marginals` know besides that a row of the register is of at most one of the
release: they are those of the distribution over all one-to-one pairings in which a pairing weighs as much as the
product of its pairs' odds, by belief propagation (exact where the pairs make no circles, close to it elsewhere).
`assigned` picks the one-to-one pairs with the largest expected number of right ones. `cut` keeps the surest of them,
as many as make the expected F1 largest, if the probabilities are right.
Not covered: two rows of the release that are both of one register row (then ask for no one-to-one assignment).

Sources: Bayati, Gamarnik, Katz, Nair and Tetali (2007), belief propagation for weighted matchings.

Shapes: pairs are given by release rows, register rows and values, each (pairs,).

Example:
    >>> import numpy as np
    >>> from reticent.attacks.reidentification.linkage.matching import assigned, cut, probabilities
    >>> release, register = np.array([0, 0, 1]), np.array([0, 1, 1])
    >>> chances, share = probabilities(release, register, np.array([8.0, 7.5, 9.0]), rows=(2, 2))
    >>> pairs = assigned(release, register, chances, rows=(2, 2))
    >>> release[pairs].tolist(), register[pairs].tolist()
    ([0, 1], [0, 1])
    >>> cut(np.array([0.99, 0.9, 0.1]), expected=2.0)
    2
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from scipy.sparse import coo_matrix, csr_matrix
from scipy.sparse.csgraph import connected_components, min_weight_full_bipartite_matching

__all__ = ["assigned", "best_of_each", "cut", "marginals", "probabilities"]

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]

_FAINT = 1e-3
_NEGLIGIBLE = 1e-7
_SWEEPS = 300
_THINNED = (8, 24)  # sweeps after which pairs that came to nothing are set aside
_SETTLED = 1e-7
_PACKED = 2_000  # pairs
_TOGETHER = 20_000  # release rows


def probabilities(
    release: Ints, register: Ints, log_factor: Floats, *, rows: tuple[int, int], present: float | None = None
) -> tuple[Floats, float]:
    """The probability of each pair, and the share of release rows whose person is in the register.

    Args:
        release, register: rows of each pair; a release row stands with a register row once.
        log_factor: natural logarithms of the likelihood ratios.
        rows: of release and register.
        present: the share, if it is known; None to estimate it.
    """
    many, others = rows
    share = 0.5 if present is None else present
    top = np.full(many, -np.inf)
    np.maximum.at(top, release, log_factor)
    top = np.maximum(top, 0.0)
    likelihood = np.exp(log_factor - top[release])
    together = np.bincount(release, likelihood, minlength=many)
    for _ in range(1000 if present is None else 0):
        nobody = (1 - share) * np.exp(-top)
        somebody = share / others * together
        # half a row more on either side: no share is ever certain
        found = (float((somebody / (somebody + nobody)).sum()) + 0.5) / (many + 1)
        settled = abs(found - share) < 1e-12
        share = found
        if settled:
            break
    whole = share / others * together + (1 - share) * np.exp(-top)
    return share / others * likelihood / whole[release], share


def marginals(
    release: Ints, register: Ints, log_odds: Floats, *, rows: tuple[int, int], share: float, one_to_one: bool = True
) -> Floats:
    """The probability of each pair, given that no row stands in two.

    Args:
        release, register: rows of each pair.
        log_odds: natural logarithms of the odds that a pair is of one person, seen by itself.
        rows: of release and register.
        share: of release rows whose person is in the register.
        one_to_one: whether a register row is of at most one release row, too.
    """
    many, others = rows
    # odds by itself -> weight beside "both stay alone": rows that stay alone are rarer the more people are in both
    alone = max(1 - share, 0.5 / (many + 1))
    alone *= max(1 - share * many / others, 0.5 / (others + 1)) if one_to_one else 1.0
    weight = np.exp(np.clip(log_odds - np.log(alone), -700, 300))
    found = _odds_to_chances(weight)
    near = np.flatnonzero(weight > _NEGLIGIBLE)
    ahead, back = np.ones(len(near)), np.ones(len(near))  # how free each row is, were it not for this pair
    for sweep in range(_SWEEPS):
        if sweep in (0, *_THINNED):
            kept = np.flatnonzero(weight[near] * ahead * back > (0.0 if sweep == 0 else _NEGLIGIBLE))
            found[near] = _odds_to_chances(weight[near] * ahead * back)
            near, ahead, back = near[kept], ahead[kept], back[kept]
            if not len(near):
                return found
            left, right, strong = release[near], register[near], weight[near]
            orders = np.argsort(left, kind="stable"), np.argsort(right, kind="stable")
        before = ahead
        ahead = _free(left, strong * back, orders[0])
        if one_to_one:
            back = _free(right, strong * ahead, orders[1])
        if float(np.abs(ahead - before).max(initial=0.0)) < _SETTLED:
            break
    found[near] = _odds_to_chances(strong * ahead * back)
    return found


def _odds_to_chances(odds: Floats) -> Floats:
    chance: Floats = odds / (1 + odds)
    return chance


def _free(of: Ints, pull: Floats, order: Ints) -> Floats:
    """For each pair: whether its row is free of the other pairs that it stands in; `order` sorts `of`."""
    ranked, owner = pull[order], of[order]
    starts = np.flatnonzero(np.concatenate([[True], owner[1:] != owner[:-1]]))
    group = np.repeat(np.arange(len(starts)), np.diff(np.append(starts, len(of))))
    # The strongest pull stands apart: taken off a sum, it would swallow the others.
    top = np.maximum.reduceat(ranked, starts)
    is_top = ranked == top[group]
    tops = np.add.reduceat(is_top.astype(np.int64), starts)
    rest = np.add.reduceat(np.where(is_top, 0.0, ranked), starts)
    free = np.empty(len(of))
    others = top[group] * (tops[group] - is_top) + np.where(is_top, rest[group], np.maximum(rest[group] - ranked, 0.0))
    free[order] = 1 / (1 + others)
    return free


def assigned(release: Ints, register: Ints, probability: Floats, *, rows: tuple[int, int]) -> Ints:
    """Which pairs to take, so that no row stands in two and the expected number of right ones is largest.

    Pairs below one in a thousand are not considered. Rows that no pair connects are solved apart from each other: the
    time of one problem grows with the square of its rows. Where more than 20,000 release rows hang together, the surest
    pairs are taken first instead, for at least half of the largest number (within a few per cent of it, as a rule). The
    places of the pairs are in the order of release rows.
    """
    places = np.flatnonzero(probability > _FAINT)
    if not len(places):
        return places
    graph = coo_matrix((np.ones(len(places)), (release[places], rows[0] + register[places])), shape=(sum(rows),) * 2)
    part = connected_components(graph, directed=False)[1][release[places]]
    order = np.argsort(part, kind="stable")
    starts = np.flatnonzero(np.diff(part[order], prepend=-1))
    sizes = np.diff(np.append(starts, len(order)))
    single = order[starts[sizes == 1]]
    rest = order[np.repeat(sizes > 1, sizes)]
    # Parts are packed together up to so many pairs: one problem each would cost more to set up than to solve.
    ends = np.cumsum(sizes[sizes > 1])
    packs = np.split(rest, ends[np.flatnonzero(np.diff((ends - 1) // _PACKED))])
    ends_of = release[places], register[places], probability[places]
    solved = [_solved(*ends_of, pack) for pack in packs if len(pack)]
    taken: Ints = places[np.concatenate([single, *solved])]
    return taken[np.argsort(release[taken], kind="stable")]


def _solved(release: Ints, register: Ints, probability: Floats, pack: Ints) -> Ints:
    """Which of some pairs to take; none of them shares a row with a pair elsewhere."""
    left, starts = np.unique(release[pack], return_inverse=True)
    right, ends = np.unique(register[pack], return_inverse=True)
    many, others = len(left), len(right)
    if many > _TOGETHER:
        return pack[_surest_first(starts, ends, probability[pack])]
    # Every release row may also stay alone, at no gain: so a full matching exists. Costs are kept above zero, since a
    # sparse matrix forgets zeros.
    costs = np.concatenate([2.0 - probability[pack], np.full(many, 2.0)])
    columns = np.concatenate([ends, others + np.arange(many)])
    graph = csr_matrix((costs, (np.concatenate([starts, np.arange(many)]), columns)), shape=(many, others + many))
    first, second = min_weight_full_bipartite_matching(graph)
    kept = second < others
    where = csr_matrix((np.arange(1, len(pack) + 1), (starts, ends)), shape=(many, others))
    found: Ints = pack[np.asarray(where[first[kept], second[kept]]).reshape(-1).astype(np.int64) - 1]
    return found


def _surest_first(starts: Ints, ends: Ints, probability: Floats) -> Ints:
    """Pairs that are the surest of both their rows, then those of what is left, and so on."""
    # Of equals the first after a scramble: in order of rows, each would wait for the one before it.
    scrambled = np.arange(len(starts), dtype=np.uint64) * np.uint64(0x9E3779B97F4A7C15)
    rank = np.empty(len(starts), np.int64)
    rank[np.lexsort((scrambled, probability))] = np.arange(len(starts))
    left, taken = np.arange(len(starts)), []
    while len(left):
        surest = np.ones(len(left), bool)
        for side in (starts, ends):
            tops = np.full(int(side.max()) + 1, -1)
            np.maximum.at(tops, side[left], rank[left])
            surest &= tops[side[left]] == rank[left]
        best = left[surest]
        taken.append(best)
        left = left[~np.isin(starts[left], starts[best]) & ~np.isin(ends[left], ends[best])]
    found: Ints = np.concatenate(taken)
    return found


def best_of_each(release: Ints, weight: Floats) -> Ints:
    """The pair of most weight (evidence or probability) of each release row that has one; of equals the first."""
    order = np.lexsort((np.arange(len(release)), -weight, release))
    first = np.ones(len(order), bool)
    first[1:] = release[order][1:] != release[order][:-1]
    found: Ints = order[first]
    return found


def cut(probability: Floats, *, expected: float) -> int:
    """How many of the surest pairs to keep: as many as make the expected F1 largest.

    Args:
        probability: of the pairs, from the largest to the smallest.
        expected: how many matches there are, expected.
    """
    if not len(probability):
        return 0
    counts = np.arange(1, len(probability) + 1)
    return int(np.argmax(2 * np.cumsum(probability) / (counts + expected))) + 1
