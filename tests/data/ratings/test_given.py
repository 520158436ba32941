"""Two files under one set of numbers: whoever made the release, it is the same ratings that an attack sees."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest

from reticent.data.ratings import Columns, Given, Ratings, read_given
from reticent.data.ratings.store import NO_DAY, NO_SCORE
from reticent.errors import DataError, UsageError

COLUMNS = Columns("who", "what", "stars", "when")
THEIRS = Columns("row", "what", "stars", "when")


def original(people: int = 40, seed: int = 1) -> pd.DataFrame:
    draw = np.random.default_rng(seed)
    cells = pd.DataFrame({"who": np.repeat([f"u{i:02}" for i in range(people)], 20)})
    cells["what"] = np.concatenate([draw.choice(60, 20, replace=False) for _ in range(people)])
    cells["stars"] = draw.integers(1, 6, len(cells))
    when = np.datetime64("2003-01-01") + draw.integers(0, 900, len(cells)).astype("timedelta64[D]")
    cells["when"] = when.astype(str)
    return cells


def released(cells: pd.DataFrame, inside: int = 30, seed: int = 2) -> tuple[pd.DataFrame, pd.DataFrame]:
    """The first people under pseudonyms, in another order, and the truth."""
    draw = np.random.default_rng(seed)
    who = cells.who.unique()[:inside]
    names = dict(zip(who, [f"p{n}" for n in draw.permutation(1000)[:inside]], strict=True))
    made = cells[cells.who.isin(who)].sample(frac=1, random_state=seed)
    made = made.assign(row=made.who.map(names)).drop(columns="who")
    return made, pd.DataFrame({"pseudonym": list(names.values()), "person": list(names)})


def table_of(ratings: Ratings) -> dict[tuple[int, int], tuple[Any, Any]]:
    """(person, item) to value and day in days since 1970."""
    items = ratings.items_of_ratings()
    scores = [None] * len(ratings) if ratings.scores is None else ratings.scores.tolist()
    days = [None] * len(ratings) if ratings.days is None else ratings.days.tolist()
    return {
        (int(person), int(item)): (
            None if score in (None, NO_SCORE) else float(ratings.values[score]),
            None if day in (None, NO_DAY) else day + ratings.first_day,
        )
        for person, item, score, day in zip(ratings.people, items, scores, days, strict=True)
    }


def read(made: pd.DataFrame, truth: Any, **more: Any) -> Given:
    return read_given(original(), made, truth, columns=COLUMNS, released_columns=THEIRS, **more)


def test_pseudonyms_with_a_truth_get_the_numbers_of_their_people(tmp_path: Any) -> None:
    made, truth = released(original())
    for kind in ("frames", "csv", "parquet"):
        if kind == "frames":
            found = read(made, truth)
        else:
            paths = [tmp_path / f"{name}.{kind}" for name in ("a", "b", "c")]
            for cells, path in zip((original(), made, truth), paths, strict=True):
                cells.to_csv(path, index=False) if kind == "csv" else cells.to_parquet(path, index=False)
            found = read_given(*paths, columns=COLUMNS, released_columns=THEIRS)
        ours, theirs = table_of(found.ratings), table_of(found.release.ratings)
        assert len(theirs) == 600
        assert theirs.items() <= ours.items()  # every released rating is the person's own, with value and day
        assert (found.truth, found.present.sum(), found.absent.sum()) == ("file", 30, 10)
        assert found.release.blur.period == 1
        assert found.release.meaning == "Read from a file."


def test_kept_names_and_strangers() -> None:
    made = original().assign(row=lambda one: one.who).drop(columns="who")
    others = original(5, seed=9).assign(row=lambda one: "x" + one.who).drop(columns="who")
    found = read(pd.concat([made[made.row < "u25"], others]), "kept")
    assert (found.present.sum(), found.absent.sum(), found.counts["strangers"]) == (25, 15, 5)
    assert found.ratings.count == found.release.ratings.count == 45
    assert found.ratings.sizes[40:].tolist() == [0] * 5


def test_nobody_is_known_to_be_absent_if_the_truth_is_silent_on_a_row() -> None:
    made, truth = released(original())
    found = read(made, truth.iloc[:-1])
    assert (found.present.sum(), found.absent.sum(), found.counts["strangers"]) == (29, 0, 1)


def test_without_a_truth_all_rows_are_strangers() -> None:
    made, _ = released(original())
    found = read(made, None)
    assert (found.truth, found.present.any(), found.absent.any()) == ("unknown", False, False)
    assert (found.release.ratings.sizes > 0)[:40].sum() == 0
    assert sorted(found.release.ratings.sizes[40:].tolist()) == [20] * 30


def test_coarse_dates_another_scale_and_gaps() -> None:
    made, truth = released(original())
    plain = table_of(read(made, truth).release.ratings)
    coarse = made.assign(when=made.when.str[:7], stars=(made.stars > 3).astype(int))
    gone = np.arange(len(made)) % 3 == 0
    coarse.loc[gone, "when"], coarse["stars"] = None, coarse.stars.where(np.arange(len(made)) % 2 == 0)
    found = read(coarse, truth)
    assert found.release.blur.period == 31
    assert found.ratings.values.tolist() == [2.0, 4.5]
    assert found.counts["without a date"] == gone.sum()
    for pair, (value, day) in table_of(found.release.ratings).items():
        true_value, true_day = plain[pair]
        assert value is None or value == (4.5 if true_value > 3 else 2.0)
        assert day is None or -15 <= true_day - day <= 15
    assert "months" in found.release.meaning
    assert "1 as 0" in found.release.meaning
    assert "ratings have no value" in found.release.meaning
    stated = read(coarse, truth, scale={1: 0, 2: 0, 3: 0, 4: 1, 5: 1})
    assert table_of(stated.release.ratings) == table_of(found.release.ratings)


def test_items_alone() -> None:
    made, truth = released(original())
    bare = Columns("row", "what", None, None)
    found = read_given(original(), made, truth, columns=COLUMNS, released_columns=bare)
    assert (found.release.ratings.scores, found.release.ratings.days) == (None, None)
    assert found.counts["without a value"] == 600


def test_a_truth_that_cannot_be_is_refused() -> None:
    made, truth = released(original())
    twice = pd.concat([truth, truth.assign(person=truth.person.to_numpy()[::-1])])
    for wrong, said in (
        (twice, "one person for each pseudonym"),
        (truth.assign(person="u00"), "one pseudonym for each person"),
        (truth.assign(person=truth.person.to_numpy()[np.roll(np.arange(30), 1)]), "share more items"),
        ("kept", "rows of people whom the original has"),
    ):
        with pytest.raises(DataError, match=said) as error:
            read(made, wrong)
        assert "u00" not in str(error.value)
    shuffled = made.assign(row=made.row.map({name: f"u{i:02}" for i, name in enumerate(sorted(made.row.unique()))}))
    with pytest.raises(DataError, match="are the released names really the original ones"):
        read(shuffled, "kept")
    with pytest.raises(DataError, match="items that both files have"):
        read(made.assign(what=made.what + 1000), truth)
    with pytest.raises(UsageError, match="two columns"):
        read(made, truth, truth_columns=("pseudonym",))
    with pytest.raises(UsageError, match="values in both files"):
        read(made.assign(stars=None), truth, scale={1: 1})
