"""Minimisation as scikit-learn has it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from sklearn.base import clone
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.exceptions import NotFittedError
from sklearn.pipeline import make_pipeline
from sklearn.utils.validation import check_is_fitted

from reticent.data.minimisation.transform import Minimiser
from reticent.data.tables import Table
from reticent.errors import DataError, NotEnoughEvidence, UsageError

SMALL = HistGradientBoostingClassifier(max_iter=10, early_stopping=False)


def people(rows: int = 3000) -> tuple[pd.DataFrame, pd.Series]:
    draw = np.random.default_rng(0)
    age = draw.integers(18, 90, rows)
    frame = pd.DataFrame({"age": age, "town": draw.choice(list("abc"), rows), "shoe": draw.integers(36, 47, rows)})
    return frame, pd.Series(age > 50, index=frame.index)


def test_fit_transform_clone_and_pipelines() -> None:
    frame, ill = people()
    less = Minimiser(SMALL, tolerance=0.02, random_state=1, keep=["shoe"])
    assert repr(clone(less)) == repr(less)
    with pytest.raises(NotFittedError):
        check_is_fitted(less)
    with pytest.raises(UsageError, match="fitted"):
        less.transform(frame)
    got = less.fit_transform(frame, ill)
    check_is_fitted(less)
    assert list(got.columns) == less.get_feature_names_out().tolist() == ["age", "shoe"]
    assert got.index.equals(frame.index)
    assert less.outcome_ is not None
    assert less.outcome_.confirmed
    assert not hasattr(clone(less), "map_")
    some = less.transform(frame[["shoe", "age"]].iloc[5:8])
    pd.testing.assert_frame_equal(some, got.iloc[5:8])
    pipeline = make_pipeline(Minimiser(SMALL, tolerance=0.02, random_state=1), SMALL).fit(frame, ill)
    assert pipeline.score(frame, ill) > 0.95
    assert pipeline[:-1].get_feature_names_out().tolist() == ["age"]


@pytest.mark.slow
def test_arrays_tables_and_dictionaries() -> None:
    frame, ill = people()
    matrix = frame[["age", "shoe"]].to_numpy()
    less = Minimiser(SMALL, tolerance=0.02, random_state=1).fit(matrix, ill.to_numpy())
    got = less.transform(matrix)
    assert got.dtype == np.float64
    assert got.shape == (3000, 1)
    with pytest.raises(DataError, match="2 columns"):
        less.transform(matrix[:, :1])
    objects = Minimiser(SMALL, tolerance=0.02, random_state=1, keep=["x1"]).fit(frame.to_numpy(), ill)
    assert objects.transform(frame.to_numpy()).dtype == object
    table = Minimiser(SMALL, tolerance=0.02, random_state=1).fit(Table.of(frame), ill)
    assert isinstance(table.transform({"age": [1, 90]}), Table)


def test_saved_and_loaded_it_does_the_same(tmp_path: Path) -> None:
    frame, ill = people()
    less = Minimiser(SMALL, tolerance=0.02, random_state=1).fit(frame, ill)
    again = Minimiser.load(less.save(tmp_path / "less.json"))
    check_is_fitted(again)
    pd.testing.assert_frame_equal(again.transform(frame), less.transform(frame))
    assert again.map_ == less.map_
    assert again.outcome_ is None


@pytest.mark.slow
def test_whose_rows_and_what_cannot_be_shown() -> None:
    frame, ill = people()
    less = Minimiser(SMALL, tolerance=0.02, random_state=1).fit(frame, ill, groups=np.arange(3000) // 2)
    assert less.outcome_ is not None
    assert less.outcome_.data["people"] == 1500
    few = Minimiser(SMALL, tolerance=0.02, random_state=1)
    with pytest.raises(NotEnoughEvidence):
        few.fit(frame[:300], ill[:300])
    with pytest.raises(DataError, match="a label for each of 3000 rows"):
        few.fit(frame, ill[:10])
    noisy = np.random.default_rng(1).random(3000) < np.where(ill, 0.7, 0.3)
    strict = Minimiser(SMALL, tolerance=0.005, random_state=1)
    with pytest.raises(NotEnoughEvidence, match=r"not resolvable|not confirmed"):
        strict.fit(frame, noisy)
    assert strict.outcome_ is not None
