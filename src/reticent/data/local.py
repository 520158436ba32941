"""Noise on the data themselves: every record is changed at random before anybody works with it.

Promise: what `LocalNoise` returns are records with the stated noise, and a `Guarantee` that names exactly what is
protected: the label, some columns, or whole records. It holds for every record on its own, whoever sees the noisy
records, and for everything that is ever computed from them: a model, a statistic, a publication. Nothing about the data
is looked at: bounds and categories are declared.

The neighbouring relation is `REPLACE_ONE`: one record, or the protected part of it, is exchanged for any other; that
the record is there at all, and who owns it, is public. Noise on labels alone is label privacy (Ghazi et al., 2021): it
hides a label as far as the features do not betray it, and hides the features not at all. Where one person owns several
rows, and the records say so, the guarantee is for the person and is charged for as many rows as anybody owns.

Samplers: with secure randomness OpenDP draws (extra `local`), from the operating system's generator; its own map is
checked against what is charged here. With `sampler="exact"`, and always in simulations, which OpenDP cannot repeat,
`reticent.privacy.discrete` draws. Both draw whole numbers from the same exact laws: no rounding betrays anything.

Kinds of noise: see `reticent.data.noises`.

Not covered: attributes without noise; drawing again for the same records (compose the guarantees).

Example:
    >>> from reticent.data import Answers, LaplaceNoise, LocalNoise, load
    >>> from reticent.randomness import Randomness
    >>> noise = LocalNoise(labels=Answers(2.0), features={"age": LaplaceNoise(1.0, low=-0.2, high=0.2)})
    >>> noisy = noise(load("diabetes"), Randomness.simulated(1))
    >>> noisy.guarantee.only, round(noisy.guarantee.epsilon(1e-9), 3)
    (('label', 'age'), 3.0)
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from reticent import _checks
from reticent.data import _opendp
from reticent.data.noises import Answers, ColumnNoise
from reticent.data.records import Records
from reticent.errors import UsageError
from reticent.privacy import Guarantee, Relation, Unit
from reticent.privacy.accounting import merged
from reticent.randomness import Randomness, required

__all__ = ["LocalNoise", "sampler_for", "without_noise"]

Values = npt.NDArray[Any]


@dataclasses.dataclass(frozen=True)
class LocalNoise:
    """Noise on labels, on columns, or on both.

    Args:
        labels: noise on the labels; None leaves them as they are.
        features: a noise for every number of the features; or names or numbers of columns with the noise of each; None
            leaves them as they are.

    Raises:
        UsageError: no noise at all, or something else in its place.
    """

    labels: Answers | None = None
    features: ColumnNoise | Mapping[str | int, ColumnNoise] | None = None

    def __post_init__(self) -> None:
        if self.labels is None and not self.features:
            raise UsageError("Expected noise on labels or features, got none.", "Pass labels=Answers(epsilon=1.0).")
        if self.labels is not None and not isinstance(self.labels, Answers):
            raise UsageError(f"Expected Answers for labels, got {self.labels!r}.", "Pass Answers(epsilon=1.0).")
        several = self.features.values() if isinstance(self.features, Mapping) else [self.features]
        for one in several:
            if one is not None and not isinstance(one, ColumnNoise):
                raise UsageError(f"Expected noise for a column, got {one!r}.", "Pass for instance LaplaceNoise(...).")
        if isinstance(self.features, Mapping):
            object.__setattr__(self, "features", dict(self.features))

    def __call__(
        self, records: Records, randomness: Randomness | None = None, *, sampler: str | None = None
    ) -> Records:
        """The records with their noise and their guarantee.

        Args:
            records: what is to be protected.
            randomness: where noise comes from: the operating system's by default.
            sampler: "opendp" or "exact"; see the module's page.

        Raises:
            UsageError: columns that are not there; records that have noise already; OpenDP with a simulation.
            MissingExtra: OpenDP is not installed.
            DataError: values that are none of the declared categories.
        """
        source = Randomness.secure() if randomness is None else required(randomness)
        chosen = sampler_for(sampler, source)
        plan = self._columns(without_noise(records))
        labels, answers = records.labels, self._answers(records)
        if answers is not None:
            labels = answers.applied(labels, source.spawn("label"), chosen, "label")[:, 0]
        features, names = _with_noise(records, plan, source, chosen)
        return Records(
            features,
            labels,
            classes=records.classes,
            class_names=records.class_names,
            origin=records.origin,
            name=records.name,
            unit=records.unit,
            owners=records.owners,
            feature_names=names,
            public_facts=records.public_facts,
            guarantee=self.guarantee(records, sampler=chosen, simulated=not source.is_secure),
            rests_on=records.rests_on,
        )

    def guarantee(self, records: Records, *, sampler: str = "opendp", simulated: bool = False) -> Guarantee:
        """What the noise promises for such records; their values are not looked at.

        Args:
            records: their columns, classes and owners count.
            sampler: "opendp" or "exact", for the guarantee's text.
            simulated: the noise comes from a seeded generator.
        """
        plan, answers = self._columns(records), self._answers(records)
        count = math.prod(records.features.shape[1:])
        mechanisms = [one.mechanism for one in plan.values()]
        if answers is not None:
            mechanisms.insert(0, answers.mechanism)
        rows = 1
        if records.unit is not Unit.EXAMPLE and records.owners is not None:
            rows = int(np.unique(records.owners, return_counts=True)[1].max())
        return Guarantee(
            merged(mechanism.times(mechanism.count * rows) for mechanism in mechanisms),
            unit=records.unit,
            relation=Relation.REPLACE_ONE,
            assumptions=(
                "which records there are, and whose, is public",
                *(() if records.unit is Unit.EXAMPLE else (f"no {records.unit.value} owns more than {rows} row(s)",)),
                "bounds, grids, categories and the number of classes were declared without looking at the data",
                _drawn_by(sampler),
                *records.public_facts,
                *_without_noise(count, len(plan), answers is not None),
                "not covered: drawing noise again for the same records (compose)",
            ),
            simulated=simulated,
            only=_protected(records, plan, answers is not None, count),
        )

    def as_dict(self) -> dict[str, Any]:
        """Plain values; `from_dict` makes an equal noise of them."""
        features: Any = self.features
        if isinstance(features, Mapping):
            features = [[name, one.as_dict()] for name, one in features.items()]
        elif features is not None:
            features = features.as_dict()
        return {"labels": None if self.labels is None else self.labels.as_dict(), "features": features}

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> LocalNoise:
        """What `as_dict` wrote.

        Raises:
            UsageError: a field is missing or unknown, or a value is out of range.
        """
        if not isinstance(values, dict) or set(values) != {"labels", "features"}:
            raise UsageError(f"Expected the fields of local noise, got {values!r}.", "Write them as saved.")
        labels, features = values["labels"], values["features"]
        if isinstance(features, list):
            features = {name: ColumnNoise.from_dict(one) for name, one in features}
        elif features is not None:
            features = ColumnNoise.from_dict(features)
        return cls(None if labels is None else ColumnNoise.from_dict(labels), features)  # type: ignore[arg-type]

    def _answers(self, records: Records) -> Answers | None:
        if self.labels is None or self.labels.categories == records.classes:
            return self.labels
        if self.labels.categories is not None:
            raise UsageError(
                f"Expected answers among the {records.classes} classes of the records, got "
                f"categories={self.labels.categories}.",
                "Leave categories out for labels.",
            )
        return Answers(self.labels.epsilon, records.classes)

    def _columns(self, records: Records) -> dict[int, ColumnNoise]:
        """Number of a column (of the flattened features) to its noise."""
        count = math.prod(records.features.shape[1:])
        if self.features is None:
            return {}
        if isinstance(self.features, ColumnNoise):
            return dict.fromkeys(range(count), self.features)
        if records.features.ndim != 2:
            raise UsageError(
                f"Expected a table to name columns of, got features {records.features.shape[1:]}.",
                "Pass one noise for all numbers.",
            )
        found: dict[int, ColumnNoise] = {}
        for name, one in self.features.items():
            number = list(records.feature_names or ()).index(name) if name in (records.feature_names or ()) else name
            if not isinstance(number, int) or not 0 <= number < count or number in found:
                raise UsageError(
                    f"Expected columns of these records, each once, got {name!r}.",
                    f"There are {count} columns{_listed(records.feature_names)}.",
                )
            found[number] = one
        return dict(sorted(found.items()))


def without_noise(records: Records) -> Records:
    """The records, or `UsageError` if they have noise of their own already: its guarantee would be lost."""
    if records.guarantee is not None:
        raise UsageError(
            "Expected records without noise, got some that have a guarantee already.",
            "Give labels and columns their noise at once, and train on the result with reticent.train.",
        )
    return records


def sampler_for(sampler: str | None, source: Randomness) -> str:
    """ "opendp" or "exact": what was asked for, or the default.

    Raises:
        UsageError: another name; OpenDP for a simulation, which it cannot repeat.
    """
    if sampler is None:
        return "opendp" if source.is_secure else "exact"
    if _checks.one_of(("opendp", "exact"), sampler=sampler) == "opendp" and not source.is_secure:
        raise UsageError(
            "Expected sampler='exact' with Randomness.simulated, got 'opendp', which draws from the operating system.",
            "Leave the sampler out.",
        )
    return sampler


def _with_noise(
    records: Records, plan: dict[int, ColumnNoise], source: Randomness, sampler: str
) -> tuple[Values, tuple[str, ...] | None]:
    """Features with their noise, and the names of the columns."""
    names = records.feature_names
    if not plan:
        return records.features, names
    flat = records.features.reshape(len(records), -1)
    columns, named = [], []
    for number in range(flat.shape[1]):
        one = plan.get(number)
        name = names[number] if names is not None else f"column {number}"
        if one is None:
            columns.append(flat[:, number, None])
        else:
            columns.append(one.applied(flat[:, number], source.spawn(f"column {number}"), sampler, name))
        width = columns[-1].shape[1]
        named += [name] if width == 1 else [f"{name} = {category}" for category in range(width)]
    whole = all(column.dtype.kind in "iub" for column in columns)
    kind = np.int64 if whole else np.result_type(flat.dtype, np.float32)
    found = np.concatenate([column.astype(kind) for column in columns], axis=1)
    if found.shape[1] == flat.shape[1]:
        return found.reshape(records.features.shape), names
    return found, tuple(named)


def _protected(records: Records, plan: dict[int, ColumnNoise], labels: bool, count: int) -> tuple[str, ...]:
    """What has noise; empty if everything has."""
    if len(plan) == count:
        return () if labels else ("features",)
    names = records.feature_names
    columns = (names[number] if names is not None else f"column {number}" for number in plan)
    return (*(("label",) if labels else ()), *columns)


def _listed(names: tuple[str, ...] | None) -> str:
    return f": {', '.join(names[:10])}" if names else ", numbered from 0"


def _drawn_by(sampler: str) -> str:
    if sampler == "opendp":
        return f"noise drawn by OpenDP {_opendp.version()} from the operating system's generator"
    return "noise drawn in whole numbers, exactly"


def _without_noise(columns: int, noisy: int, labels: bool) -> tuple[str, ...]:
    missing = [] if noisy == columns else [f"the other {columns - noisy} columns" if noisy else "the features"]
    missing += [] if labels else ["the labels"]
    return (f"not covered: {' and '.join(missing)}, and what can be told from them",) if missing else ()
