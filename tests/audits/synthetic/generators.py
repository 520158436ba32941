"""Generators whose truth is known, for tests and benchmarks: each makes a table from a table and a seed."""

from __future__ import annotations

import numpy as np
import pandas as pd
from scipy.stats import norm, rankdata

from reticent.data.tables import Table


def seeded(seed: int) -> np.random.Generator:
    """A generator of numpy's."""
    return np.random.default_rng(seed)


def people(rows: int, rng: np.random.Generator) -> Table:
    """A population with four numbers and three words, dependent on each other."""
    kind = rng.integers(0, 3, rows)
    age = np.clip(rng.normal(35 + 8 * kind, 12), 17, 90).round()
    hours = np.clip(rng.normal(38 + 2 * kind, 9), 1, 99).round()
    income = np.exp(rng.normal(9 + 0.5 * kind + 0.01 * age, 0.5)).round()
    height = rng.normal(170, 10, rows).round(1)
    region = rng.choice(list("abcdefgh"), rows, p=np.array([8, 7, 6, 5, 4, 3, 2, 1]) / 36)
    job = np.array([f"{k}{int(j)}" for k, j in zip(kind, rng.integers(0, 4, rows), strict=True)])
    columns = {"age": age, "hours": hours, "income": income, "height": height, "region": region, "job": job}
    return Table.of({**columns, "sick": np.where(rng.random(rows) < 0.1 + 0.1 * kind, "yes", "no")})


def copying(share: float):
    """Some of the rows are rows of the source, the others are drawn column by column."""

    def make(table: Table, seed: int) -> Table:
        rng = np.random.default_rng(seed)
        rows = rng.integers(0, table.rows, table.rows)
        copied = rng.random(table.rows) < share
        columns = {}
        for column in table.columns:
            own = np.where(copied, rows, rng.integers(0, table.rows, table.rows))
            columns[column.name] = column.cells()[own].tolist()
        return Table.of(columns)

    return make


def marginals(table: Table, seed: int) -> Table:
    """Each column by itself, drawn from the source's values."""
    return copying(0.0)(table, seed)


def interpolating(table: Table, seed: int, *, neighbours: int = 2) -> Table:
    """Numbers between a row and one of its nearest rows, words of one of the two (as SMOTE does)."""
    rng = np.random.default_rng(seed)
    numeric = [column.name for column in table.columns if column.kind == "number"]
    values = np.column_stack([table[name].numbers() for name in numeric])
    scaled = (values - values.mean(axis=0)) / values.std(axis=0)
    apart = ((scaled[:, None, :] - scaled[None, :, :]) ** 2).sum(axis=2)
    np.fill_diagonal(apart, np.inf)
    near = np.argsort(apart, axis=1)[:, :neighbours]
    first = rng.integers(0, table.rows, table.rows)
    second = near[first, rng.integers(0, neighbours, table.rows)]
    part = rng.random((table.rows, 1))
    mixed = values[first] + part * (values[second] - values[first])
    columns = {name: mixed[:, place].tolist() for place, name in enumerate(numeric)}
    either = np.where(part[:, 0] < 0.5, first, second)
    return Table.of(
        {name: columns[name] if name in columns else table[name].cells()[either].tolist() for name in table.names}
    )


def blurring(width: float):
    """A kernel density: a row of the source with a little noise on its numbers."""

    def make(table: Table, seed: int) -> Table:
        rng = np.random.default_rng(seed)
        rows = rng.integers(0, table.rows, table.rows)
        columns = {}
        for column in table.columns:
            if column.kind == "number":
                values = column.numbers()
                columns[column.name] = values[rows] + width * values.std() * rng.normal(size=table.rows)
            else:
                columns[column.name] = column.cells()[rows].tolist()
        return Table.of(columns)

    return make


def copula(table: Table, seed: int) -> Table:
    """A Gaussian copula over the ranks of all columns: hundreds of rows behind a few correlations."""
    rng = np.random.default_rng(seed)
    codes = np.column_stack([column.codes.astype(float) for column in table.columns])
    jittered = codes + rng.random(codes.shape)
    scores = norm.ppf((rankdata(jittered, axis=0) - 0.5) / len(codes))
    drawn = rng.multivariate_normal(np.zeros(codes.shape[1]), np.corrcoef(scores.T), size=len(codes))
    columns = {}
    for place, column in enumerate(table.columns):
        order = np.sort(codes[:, place]).astype(int)
        at = np.minimum((norm.cdf(drawn[:, place]) * len(order)).astype(int), len(order) - 1)
        columns[column.name] = column.values[order[at]].tolist()
    return Table.of(columns)


def private_marginals(epsilon: float, bounds: dict[str, tuple[float, ...] | tuple[str, ...]]):
    """Histograms with Laplace noise; for adding or removing one row the release is epsilon-differentially private.

    Bounds, bins and the number of released rows are declared and never looked up in the table, and each column is
    charged epsilon over the number of columns.
    """

    def make(table: Table, seed: int) -> Table:
        rng = np.random.default_rng(seed)
        columns = {}
        for name, values in bounds.items():
            if isinstance(values[0], str):
                counts = np.array([(table[name].cells() == value).sum() for value in values], float)
            else:
                counts = np.histogram(np.clip(table[name].numbers(), values[0], values[-1]), bins=np.array(values))[0]
            noisy = np.maximum(counts + rng.laplace(scale=len(bounds) / epsilon, size=len(counts)), 0) + 1e-9
            drawn = rng.choice(len(noisy), 500, p=noisy / noisy.sum())
            if isinstance(values[0], str):
                columns[name] = [values[one] for one in drawn]
            else:
                edges = np.array(values)
                columns[name] = (edges[drawn] + rng.random(500) * np.diff(edges)[drawn]).tolist()
        return Table.of(columns)

    return make


def as_frame(table: Table) -> pd.DataFrame:
    """As pandas, for oracles."""
    return pd.DataFrame({column.name: column.cells() for column in table.columns})
