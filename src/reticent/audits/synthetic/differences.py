"""Attacks that succeed or not on each row, with the release and without it, on members and on controls.

Promise: each row is attacked twice, with the release and with the reference in its place (as many rows of each): the
difference is what the release adds. That is done for members and for controls: what it adds for controls as well is
knowledge about the population, not about the people in the source. The paired difference of the two is reported with
its interval and its sign, and tested exactly.

Example:
    >>> import numpy as np
    >>> from reticent.audits.synthetic.differences import figures
    >>> yes, no = np.ones(50, bool), np.zeros(50, bool)
    >>> estimates, baseline, tests = figures({"members": (yes, no), "controls": (no, no)}, 0.95)
    >>> print(estimates["members' gain minus controls' gain"])
    1.000 [0.876, 1.000] (95 %, n=100)
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import numpy.typing as npt

from reticent.attacks.synthetic import Kernel, guesses, linked, secret_of
from reticent.audits.statistics import rate
from reticent.audits.synthetic.exact import PValues, gain_test, mean_gain, more_gained
from reticent.audits.synthetic.outcome import Result
from reticent.audits.synthetic.preparing import LEAST, Prepared
from reticent.errors import DataError, UsageError
from reticent.evidence import Estimate, Finding

__all__ = ["attributes", "figures", "linkage"]

Booleans = npt.NDArray[np.bool_]
Successes = Mapping[str, tuple[Booleans, Booleans]]

GAIN = "members' gain minus controls' gain"
_LEARNED_FROM = 5000
_DECOYS = 99
_KNOWN = "the release and the other columns"


def figures(
    successes: Successes, confidence: float
) -> tuple[dict[str, Estimate], dict[str, Estimate], dict[str, PValues]]:
    """Estimates, baselines and tests of successes with and without the release.

    Args:
        successes: "members" and "controls" to (rows,) successes with the release and (rows,) without it.
        confidence: of each interval.
    """
    gains = {side: with_it.astype(np.int64) - without for side, (with_it, without) in successes.items()}
    estimates, baseline = {}, {}
    for side, (with_it, without) in successes.items():
        estimates[f"{side}, with the release"] = _rate(with_it, confidence)
        estimates[f"{side}, gained by it"] = mean_gain(
            gains[side], confidence=confidence, method="successes with the release minus without, row by row"
        )
        baseline[f"{side}, without the release"] = _rate(without, confidence)
    estimates[GAIN] = more_gained(gains["members"], gains["controls"], confidence=confidence)
    return estimates, baseline, {"gain": gain_test(gains["members"], gains["controls"])}


def attributes(ready: Prepared, secrets: Sequence[str] | None, known: Sequence[str] | None) -> list[Result]:
    """Attribute inference, one finding for each secret column.

    Args:
        ready: the tables.
        secrets: the secret columns; by default each column in turn.
        known: what the attacker knows of a person; by default all columns but the secret.

    Raises:
        UsageError: a secret that nothing else is known beside, or a column that is not there.
        DataError: a named secret with too many values to guess.
    """
    release = ready.tables["release"]
    release.require([*(secrets or ()), *(known or ())])
    found = []
    for name in release.names if secrets is None else secrets:
        others = [one for one in (release.names if known is None else known) if one != name]
        if not others:
            raise UsageError(f"Expected columns that are known beside {name!r}, got none.", "Name some of them.")
        attack = f"attribute inference of {name}"
        try:
            found.append(_attribute(ready, name, others, attack))
        except DataError as error:
            if secrets is not None:
                raise
            found.append(Result(Finding.not_run(attack, "the release", _KNOWN, reason=error.what)))
    return found


def _attribute(ready: Prepared, name: str, others: Sequence[str], attack: str) -> Result:
    tables = ready.tables
    secret = secret_of(name, [tables["release"], tables["reference"]], list(tables.values()))
    encoded = ready.halves(others)
    truth = {side: secret.of(table) for side, table in tables.items()}
    rows = min(len(truth["release"]), len(truth["reference"]), _LEARNED_FROM)
    source = ready.randomness.spawn(attack)
    right = {}
    for teacher in ("release", "reference"):
        some = source.permutation(len(truth[teacher]))[:rows]
        seed = source.seed() % 2**32
        right[teacher] = {
            side: guesses(encoded[teacher].take(some), truth[teacher][some], encoded[side], seed=seed) == truth[side]
            for side in ("members", "controls")
        }
    successes = {side: (right["release"][side], right["reference"][side]) for side in ("members", "controls")}
    estimates, baseline, tests = figures(successes, ready.confidence)
    details = {
        "secret": name,
        "known": list(others),
        "guessed": "the value" if secret.cuts is None else "the tenth in which the value lies",
        "learned_from": rows,
        "without": "a forest learned from as many rows of the reference",
    }
    return Result(Finding(attack, "the release", _KNOWN, estimates, baseline, details=details), tests)


def linkage(ready: Prepared, parts: tuple[Sequence[str], Sequence[str]] | None) -> Result:
    """Two halves of a person's columns, matched through the release, among 99 decoys.

    Args:
        ready: the tables.
        parts: the two halves; by default every other column of the release.

    Raises:
        UsageError: a column in both halves, or an empty half.
    """
    names, attack = ready.tables["release"].names, "linkage of two halves"
    if parts is None and len(names) < 2:
        return Result(Finding.not_run(attack, "the release", _KNOWN, reason="there is one column only"))
    first, second = (names[::2], names[1::2]) if parts is None else parts
    if not first or not second or set(first) & set(second):
        raise UsageError("Expected two halves without a common column, got others.", "Name each column once.")
    halves = [ready.halves(half) for half in (first, second)]
    decoys = min(_DECOYS, len(ready.tables["reference"]) // 4)
    if decoys < LEAST // 4:
        return Result(Finding.not_run(attack, "the release", _KNOWN, reason="the reference is too small for decoys"))
    source = ready.randomness.spawn(attack)
    order = source.permutation(len(ready.tables["reference"]))
    rows = min(len(order) - decoys, len(ready.tables["release"]), _LEARNED_FROM)
    kept = {"reference": order[decoys : decoys + rows], "release": source.permutation(len(halves[0]["release"]))[:rows]}
    kernels = [_narrow(Kernel.chosen(half["reference"].take(kept["reference"]))) for half in halves]
    successes = {}
    for side in ("members", "controls"):
        keys = source.uniform((len(halves[0][side]), decoys + 1))
        by = {
            table: linked(
                halves[0][side],
                halves[1][side],
                decoys=halves[1]["reference"].take(order[:decoys]),
                table=(halves[0][table].take(kept[table]), halves[1][table].take(kept[table])),
                kernels=(kernels[0], kernels[1]),
                keys=keys,
            )
            for table in ("release", "reference")
        }
        successes[side] = (by["release"], by["reference"])
    estimates, baseline, tests = figures(successes, ready.confidence)
    details = {
        "first": list(first),
        "second": list(second),
        "decoys": decoys,
        "guessing": 1 / (decoys + 1),
        "linked_through": rows,
    }
    exposure = "the release and both halves"
    return Result(Finding(attack, "the release", exposure, estimates, baseline, details=details), tests)


def _narrow(kernel: Kernel) -> Kernel:
    """Half as wide as the likelihood would have it: it is a person who is looked for, not a population."""
    return Kernel(kernel.width / 2, kernel.change / 2)


def _rate(successes: Booleans, confidence: float) -> Estimate:
    return rate(int(successes.sum()), len(successes), method="share of rows that succeed", confidence=confidence)
