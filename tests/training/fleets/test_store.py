"""What is stored is found again, by the same training only, whole or not at all."""

from __future__ import annotations

import os
import stat

import numpy as np
import pytest

from reticent.data import Records
from reticent.errors import UsageError
from reticent.privacy import Guarantee, SampledGaussian, Unit
from reticent.randomness import Randomness
from reticent.training.fleets import store as room
from reticent.training.fleets.store import Store

ANSWERS = np.arange(180, dtype=np.float32).reshape(60, 3)
MASK = np.arange(60) % 2 == 0


@pytest.fixture
def kept(tmp_path, table):
    return Store(tmp_path / "new" / "folder").of("training", table)


def test_answers_come_back_to_the_bit_and_for_the_owner_only(kept):
    key = kept.key(MASK, Randomness.simulated(0))
    assert kept.get(key) is None
    kept.put(key, MASK, ANSWERS)
    found = kept.get(key)
    assert found.dtype == np.float32
    np.testing.assert_array_equal(found, ANSWERS)
    (path,) = kept.folder.iterdir()
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    with np.load(path, allow_pickle=False) as archive:
        assert set(archive.files) == {"answers", "mask", "sha256"}


def test_keys_tell_everything_apart(tmp_path, table):
    source = Randomness.simulated(0)
    keys = set()
    owners = Records(table.features, table.labels, owners=np.arange(60) // 2)
    pools = [
        table,
        Records(table.features + 1, table.labels),
        Records(table.features, table.labels, classes=4),
        Records(table.features, table.labels, unit=Unit.PERSON),
        owners,
    ]
    for pool in pools:
        for trainer in ("a", "b"):
            for drawn in ("", "coins"):
                kept = Store(tmp_path, drawn).of(trainer, pool)
                for stream in (source, Randomness.simulated(1), source.spawn("model 0"), Randomness.secure()):
                    keys |= {(drawn * stream.is_secure, kept.key(mask, stream)) for mask in (MASK, ~MASK)}
    # how parts were drawn counts for secure fleets only
    assert len({key for _, key in keys}) == 5 * 2 * 2 * (3 + 2)


def test_everything_that_trainers_see_of_records_counts(tmp_path, table):
    def pool(**more):
        return Records(table.features, table.labels, classes=3, **more)

    promised = Guarantee((SampledGaussian(1.0, 0.01, 10),))
    pools = [
        pool(),
        pool(name="others"),
        pool(feature_names="abcde"),
        pool(feature_names="edcba"),
        pool(public_facts=["the mean"]),
        pool(owners=np.arange(60) // 2),
        pool(owners=np.arange(60) // 2 + 100),
        pool(owners=[f"p{k // 2}" for k in range(60)]),
    ]
    keys = [Store(tmp_path).of("a", one).training for one in pools]
    assert len(set(keys)) == len(pools)
    assert Store(tmp_path).of("a", pool(feature_names="abcde")).training == keys[2]
    with_promise = Store(tmp_path).of("a", pool(guarantee=promised)).training
    assert with_promise not in keys
    promised.epsilon(1e-5)
    assert Store(tmp_path).of("a", pool(guarantee=promised)).training == with_promise


def test_versions_count(tmp_path, table, monkeypatch):
    before = Store(tmp_path).of("a", table).training
    monkeypatch.setattr(room, "software", lambda: {"torch": "99"})
    assert Store(tmp_path).of("a", table).training != before


def test_equal_parts_of_a_secure_fleet_are_different_models(kept):
    masks = np.stack([MASK, ~MASK, MASK])
    secure = kept.keys(masks, [Randomness.secure() for _ in masks])
    assert len(set(secure)) == 3
    assert kept.keys(masks[:2], [Randomness.secure() for _ in range(2)]) == secure[:2]
    assert kept.keys(masks[[0, 2, 1]], [Randomness.secure() for _ in masks]) == [secure[0], secure[2], secure[1]]


@pytest.mark.parametrize("place", [0.1, 0.3, 0.6, 0.9, 0.99])
@pytest.mark.parametrize("harm", ["flip", "cut", "empty"])
def test_a_damaged_file_is_found_and_not_used(kept, place, harm, caplog):
    """Whatever byte it is: either the archive, or the hash in it, says so; or the byte means nothing."""
    key = kept.key(MASK, Randomness.simulated(0))
    kept.put(key, MASK, ANSWERS)
    (path,) = kept.folder.iterdir()
    content = bytearray(path.read_bytes())
    where = int(place * len(content))
    if harm == "flip":
        content[where] ^= 0xFF
    path.write_bytes({"flip": content, "cut": content[:where], "empty": b""}[harm])
    found = kept.get(key)
    assert found is None or np.array_equal(found, ANSWERS)
    if harm != "flip":
        assert found is None
        assert "damaged" in caplog.text


def test_every_flipped_byte_of_a_file(tmp_path, table):
    kept = Store(tmp_path).of("a", table)
    key = kept.key(MASK, Randomness.simulated(0))
    kept.put(key, MASK, ANSWERS[:4])
    (path,) = kept.folder.iterdir()
    whole = path.read_bytes()
    for where in range(len(whole)):
        path.write_bytes(whole[:where] + bytes([whole[where] ^ 0x01]) + whole[where + 1 :])
        found = kept.get(key)
        assert found is None or np.array_equal(found, ANSWERS[:4]), where


def test_another_models_file_is_not_taken(kept):
    first, second = kept.key(MASK, Randomness.simulated(0)), kept.key(~MASK, Randomness.simulated(0))
    kept.put(first, MASK, ANSWERS)
    os.rename(kept.folder / f"{first}.npz", kept.folder / f"{second}.npz")
    assert kept.get(second) is None


def test_pickles_are_not_opened(kept):
    key = kept.key(MASK, Randomness.simulated(0))
    np.savez(kept.folder / f"{key}.npz", answers=np.array([{}], dtype=object))
    assert kept.get(key) is None


def test_drawn_parts_come_back_in_order(tmp_path, table):
    store = Store(tmp_path, "coins")
    kept = store.of("a", table)
    assert kept.drawn(60).shape == (0, 60)
    first = np.random.default_rng(1).random((3, 60)) < 0.5
    kept.keep_drawn(first)
    kept.keep_drawn(~first)
    np.testing.assert_array_equal(store.of("a", table).drawn(60), np.concatenate([first, ~first]))
    for other in (Store(tmp_path, "other coins").of("a", table), store.of("b", table)):
        assert other.drawn(60).shape == (0, 60)


def test_a_folder_that_cannot_be_made_is_refused(tmp_path, table):
    (tmp_path / "file").write_text("", "utf-8")
    with pytest.raises(UsageError, match="Expected to use the folder"):
        Store(tmp_path / "file" / "below").of("a", table)
