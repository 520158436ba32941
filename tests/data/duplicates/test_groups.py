"""Stars and components against loops."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from reticent.data.duplicates.groups import among, components, stars

PAIRS = st.lists(st.tuples(st.integers(0, 7), st.integers(0, 7)).filter(lambda pair: pair[0] != pair[1]), max_size=14)


def array(pairs: list[tuple[int, int]]) -> np.ndarray:
    return np.array(pairs, np.int64).reshape(-1, 2)


@settings(deadline=None)
@given(st.lists(st.tuples(st.integers(0, 7), st.integers(0, 7)), max_size=10))
def test_components_are_what_pairs_connect(pairs: list[tuple[int, int]]) -> None:
    label = list(range(8))
    for one, other in pairs:
        label = [label[one] if each == label[other] else each for each in label]
    wanted = [sorted(set(label), key=label.index).index(each) for each in label]
    assert components(8, array(pairs)).tolist() == wanted


@settings(deadline=None)
@given(PAIRS)
def test_every_member_of_a_star_is_near_its_first_row(pairs: list[tuple[int, int]]) -> None:
    near = {frozenset(pair) for pair in pairs}
    group = stars(8, array(pairs)).tolist()
    first = [group.index(one) for one in group]
    assert all(row == centre or frozenset((row, centre)) in near for row, centre in enumerate(first))
    centres = sorted(set(first))  # and no two of those that stay are near each other
    assert not any(frozenset((a, b)) in near for a in centres for b in centres if a != b)


@settings(deadline=None)
@given(PAIRS, st.lists(st.integers(0, 7), max_size=6))
def test_partners_are_those_of_a_loop(pairs: list[tuple[int, int]], wanted: list[int]) -> None:
    place, partner = among(np.array(wanted, np.int64), array(pairs))
    loop = [(at, b if a == one else a) for at, one in enumerate(wanted) for a, b in pairs if one in (a, b)]
    assert sorted(zip(place.tolist(), partner.tolist(), strict=True)) == sorted(loop)
