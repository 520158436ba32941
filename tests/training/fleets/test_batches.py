"""Batches of a stack are those of the ordinary steps, however many are drawn at once."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn

from reticent.errors import DataError
from reticent.training.fleets.batches import Batches, side_by_side, steps_of
from reticent.training.steps import OrdinarySteps


def expected_of(made, mask, stream):
    members = np.flatnonzero(mask)
    ordinary = OrdinarySteps(
        nn.Linear(1, 1), made.loss, torch.optim.SGD([torch.zeros(1)]), stream.spawn("train"),
        size=len(members), epochs=3, batch_size=8,
    )  # fmt: skip
    return [members[batch] for batch in ordinary._batches(len(members), None)]


@pytest.mark.parametrize("at_once", [1, 4, 15])
def test_batches_are_those_of_the_ordinary_steps(at_once, recipe, table, streams):
    made = recipe(epochs=3, batch_size=8)
    masks = [np.arange(60) % 3 > 0, np.arange(60) < 5]
    expected = [expected_of(made, mask, stream) for mask, stream in zip(masks, streams[:2], strict=True)]
    own = [Batches(made, table, mask, stream) for mask, stream in zip(masks, streams[:2], strict=True)]
    assert own[0].steps == steps_of(made, 40) == len(expected[0]) == 15
    assert (own[1].steps, own[1].size) == (len(expected[1]), 5) == (3, 5)
    done, running = 0, own
    while done < 15:
        steps = min(at_once, (3 if done < 3 else 15) - done)
        running = [one for one in own if one.steps > done]
        rows, lengths = side_by_side(running, steps)
        assert rows.shape == (steps, len(running), 8)
        for k in range(len(running)):
            for row, length, batch in zip(rows[:, k], lengths[:, k], expected[k][done:], strict=False):
                np.testing.assert_array_equal(row[:length], batch)
                assert (row[length:] == batch[0]).all()
        done += steps


def test_a_part_with_one_class_is_refused(recipe, table, streams):
    with pytest.raises(DataError, match="at least two classes"):
        Batches(recipe(), table, np.arange(60) % 3 == 0, streams[0])
