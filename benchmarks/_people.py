"""Tables about people out of packaged sets, with the categories that were taken apart put together again."""

from __future__ import annotations

import csv

import numpy as np

from reticent.data._readers import read_table
from reticent.data.catalogue import entry
from reticent.data.fetch import fetched
from reticent.data.tables import Table

ADULT = (
    "workclass",
    "education",
    "marital-status",
    "occupation",
    "relationship",
    "race",
    "sex",
    "native-country",
    "salary",
)


def adult() -> Table:
    """UCI Adult, 45,222 people: numbers as they are, and the categories of its one-hot columns."""
    values, names = read_table(fetched(entry("adult")) / "adult.csv.zip")
    columns: dict[str, list[object]] = {
        name: values[:, i].astype(np.int64).tolist() for i, name in enumerate(names) if "_" not in name
    }
    for word in ADULT:
        at = [i for i, name in enumerate(names) if name.startswith(f"{word}_")]
        assert (values[:, at].sum(axis=1) == 1).all(), word
        categories = np.array([names[i].removeprefix(f"{word}_") for i in at], dtype=object)
        columns[word] = list(categories[values[:, at].argmax(axis=1)])
    return Table.of(columns)


def movielens_users() -> Table:
    """The 943 users of MovieLens 100K; zip codes are text."""
    with (fetched(entry("movielens-100k")) / "ml-100k.user").open(encoding="utf-8", newline="") as file:
        head, *rows = list(csv.reader(file, delimiter="\t"))
    columns: dict[str, list[object]] = {
        name.partition(":")[0]: list(cells) for name, cells in zip(head, zip(*rows, strict=True), strict=True)
    }
    columns["age"] = [int(str(one)) for one in columns["age"]]
    return Table.of(columns)
