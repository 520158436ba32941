"""Check digits of many numbers agree with python-stdnum, number by number."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest
from benchmarks._identifiers import NUMBERS, numbers, validity

from reticent.data.scan.checksums import luhn, matrix, number
from reticent.data.scan.detector import Detector
from reticent.data.scan.tally import DETECTORS
from reticent.data.scan.values import Keys, Values
from reticent.randomness import Randomness

KEYS = Keys(Randomness.simulated(1))
BY_NAME: dict[str, Detector] = {one.name: one for one in DETECTORS}


def passed(detector: Detector, texts: list[str], *, hinted: bool = False) -> set[str]:
    values = Values.of(pa.array(texts), 0, KEYS)
    return set(values.texts.take(pa.array(detector.hits(values, hinted=hinted).passed)).to_pylist())


@pytest.mark.parametrize("kind", NUMBERS)
def test_valid_numbers_pass_and_changed_ones_do_as_the_oracle_says(kind: str) -> None:
    rng = np.random.default_rng(3)
    valid = numbers(kind, 40, rng)
    assert passed(BY_NAME[kind], valid) == set(valid)
    changed = []
    for text in valid:
        places = [place for place, letter in enumerate(text) if letter.isdigit()]
        place = int(rng.choice(places))
        changed.append(text[:place] + str((int(text[place]) + int(rng.integers(1, 10))) % 10) + text[place + 1 :])
    oracle = validity(kind)
    wrong = {text for text in passed(BY_NAME[kind], changed) if not oracle(text)}
    assert not wrong
    assert len(passed(BY_NAME[kind], changed)) < len(changed)


@pytest.mark.slow
@pytest.mark.parametrize("kind", [kind for kind in NUMBERS if BY_NAME[kind].chance and BY_NAME[kind].check])
def test_the_stated_chance_is_what_random_numbers_pass_with(kind: str) -> None:
    """Random last digits behind valid starts; a chance that is a fifth off would be seen, and a right one passes."""
    rng = np.random.default_rng(4)
    texts = []
    for text in numbers(kind, 60, rng):
        places = [place for place, letter in enumerate(text) if letter.isdigit()][-6:]
        for _ in range(100):
            letters = list(text)
            for place in places:
                letters[place] = str(rng.integers(10))
            texts.append("".join(letters))
    values = Values.of(pa.array(texts), 0, KEYS)
    hits = BY_NAME[kind].hits(values, hinted=False)
    n, k, chance = len(hits.fitted), len(hits.passed), BY_NAME[kind].chance
    spread = 5 * np.sqrt(chance * (1 - chance) / n)  # false alarm below 1e-6
    assert k / n <= chance * 1.35 + spread


def test_luhn_by_hand_and_numbers() -> None:
    digits = matrix(pa.array(["79927398713", "79927398710"]))
    assert luhn(digits).tolist() == [True, False]
    assert number(digits).tolist() == [79927398713, 79927398710]
    assert matrix(pa.array([], pa.string())).shape == (0, 0)
