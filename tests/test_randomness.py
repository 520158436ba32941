"""Randomness: the laws it draws from, the streams it keeps apart, and the keys it never shares.

Every statistical test below compares a p-value with `ALPHA` = 1e-6 on fresh, secure randomness. About thirty such
p-values are taken, so a correct generator fails this file less often than once in 30 000 runs. Each test is also shown
planted faults, which it must reject: a test that accepts them would prove nothing. They are large enough that it
accepts one with a probability far below `ALPHA`.
"""

from __future__ import annotations

import copy
import functools
import math
import multiprocessing
import os
import pickle
from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from reticent import randomness
from reticent.errors import UsageError
from reticent.randomness import Randomness, required

ALPHA = 1e-6
N = 200_000
PINNED = [2693893019838044221, 965098377562343927]
Floats = npt.NDArray[np.float64]


secure = Randomness.secure


def two_sided(z: float) -> float:
    return float(2 * stats.norm.sf(abs(z)))


# --- laws: each takes a sample and gives the p-value of "this is the promised law" ---


def mean_p(sample: Floats) -> float:
    return two_sided(sample.mean() * math.sqrt(len(sample)))


def variance_p(sample: Floats) -> float:
    squares = float((sample**2).sum())
    return float(2 * min(stats.chi2.cdf(squares, len(sample)), stats.chi2.sf(squares, len(sample))))


def shape_p(sample: Floats) -> float:
    return float(stats.kstest(sample, "norm").pvalue)


def tail_p(sample: Floats) -> float:
    """How many lie beyond 3.5 standard deviations."""
    count = int((np.abs(sample) > 3.5).sum())
    return float(stats.binomtest(count, len(sample), 2 * stats.norm.sf(3.5)).pvalue)


def lag_p(sample: Floats, lag: int) -> float:
    """Correlation of each number, and of each square, with the one `lag` places later; the smaller p-value, doubled."""
    a, b = sample[:-lag], sample[lag:]
    root = math.sqrt(len(a))
    values = two_sided(float((a * b).sum()) / root)
    squares = two_sided(float(((a**2 - 1) * (b**2 - 1)).sum()) / (2 * root))
    return 2 * min(values, squares)


NORMAL_LAWS: list[tuple[str, Callable[[Floats], float]]] = [
    ("mean", mean_p),
    ("variance", variance_p),
    ("shape", shape_p),
    ("tail", tail_p),
    ("neighbours", functools.partial(lag_p, lag=1)),
    ("partners of one Box-Muller pair", functools.partial(lag_p, lag=N // 2)),
]


@pytest.mark.parametrize(("name", "p_value"), NORMAL_LAWS)
def test_normal_numbers_are_normal(name: str, p_value: Callable[[Floats], float]) -> None:
    assert p_value(secure().normal(N)) > ALPHA, name
    assert p_value(secure().normal(N, standard_deviation=0.3) / 0.3) > ALPHA, name


def half(sample: Floats) -> Floats:
    return sample[: len(sample) // 2]


FAULTS: list[tuple[str, Callable[[Floats], Floats], list[str]]] = [
    ("sigma 2/3", lambda x: x * 2 / 3, ["variance", "shape", "tail"]),
    ("sigma 3/2", lambda x: x * 3 / 2, ["variance", "shape", "tail"]),
    ("sigma 3 % too small", lambda x: x * 0.97, ["variance"]),
    ("shifted by 0.03", lambda x: x + 0.03, ["mean"]),
    ("uniform of the same variance", lambda x: math.sqrt(12) * (stats.norm.cdf(x) - 0.5), ["shape", "tail"]),
    ("tail cut at 3", lambda x: np.clip(x, -3, 3), ["tail"]),
    ("every number twice", lambda x: np.repeat(half(x), 2), ["neighbours"]),
    ("every number twice, turned", lambda x: (np.repeat(half(x), 2).reshape(-1, 2) * [1, -1]).ravel(), ["neighbours"]),
    ("same radius in each pair", lambda x: np.concatenate([half(x), half(x) * np.sign(x[N // 2 :])]), ["partners"]),
    ("second half repeated", lambda x: np.concatenate([half(x), half(x)]), ["partners"]),
]


@pytest.mark.parametrize(("fault", "plant", "caught_by"), FAULTS, ids=[fault[0] for fault in FAULTS])
def test_planted_faults_in_normal_numbers_are_rejected(
    fault: str, plant: Callable[[Floats], Floats], caught_by: list[str]
) -> None:
    planted = plant(secure().normal(N))
    for name, p_value in NORMAL_LAWS:
        if name.split()[0] in caught_by:
            assert p_value(planted) < ALPHA, f"{name} accepts: {fault}"


def test_normal_numbers_are_finite_at_the_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    """The words 0 and 2^64 - 1 give the largest radius, 9.4, and the smallest, 0."""
    source = secure()
    words = np.array([0, 2**64 - 1, 0, 2**64 - 1], dtype=np.uint64)
    monkeypatch.setattr(source, "bits", lambda count: words[:count])
    drawn = source.normal(4)
    assert np.isfinite(drawn).all()
    assert np.abs(drawn).max() == pytest.approx(math.sqrt(128 * math.log(2)))
    assert np.abs(drawn).min() == 0


def test_no_noise_is_zero() -> None:
    assert not secure().normal(100, standard_deviation=0).any()


@pytest.mark.parametrize("probability", [0.001, 0.01, 0.3, 0.5, 0.99])
def test_coins_have_their_frequency_and_biased_ones_are_rejected(probability: float) -> None:
    heads = int(secure().bernoulli(probability, N).sum())
    assert stats.binomtest(heads, N, probability).pvalue > ALPHA
    biased = int(secure().bernoulli(probability * 0.5, 5 * N).sum())
    assert stats.binomtest(biased, 5 * N, probability).pvalue < ALPHA
    slightly = int(secure().bernoulli(0.52, N).sum())
    assert stats.binomtest(slightly, N, 0.5).pvalue < ALPHA


def test_certain_coins() -> None:
    assert not secure().bernoulli(0.0, N).any()
    assert secure().bernoulli(1.0, N).all()
    assert secure().bernoulli(math.nextafter(1, 0), 1000).all()
    assert not secure().bernoulli(5e-324, 1000).any()
    assert secure().bernoulli(np.float16(1.0), 3).all()  # type: ignore[arg-type]
    assert 0 < secure().bernoulli(np.float16(0.5), 1000).sum() < 1000  # type: ignore[arg-type]


def test_coins_of_different_records_are_independent() -> None:
    coins = secure().bernoulli(0.3, N)
    both = int((coins[:-1] & coins[1:])[::2].sum())
    assert stats.binomtest(both, N // 2, 0.09).pvalue > ALPHA


def uniform_p(counts: npt.NDArray[Any]) -> float:
    return float(stats.chisquare(counts).pvalue)


@pytest.mark.parametrize("high", [2, 3, 7, 100, 1000])
def test_whole_numbers_are_equally_likely(high: int) -> None:
    drawn = secure().integers(high, N)
    assert (drawn.min(), drawn.max()) == (0, high - 1)
    assert uniform_p(np.bincount(drawn, minlength=high)) > ALPHA


def test_modulo_bias_is_absent_and_would_be_noticed() -> None:
    """For high = 3 * 2^61 the remainder of a 64-bit word falls into the lower two thirds with probability 3/4."""
    high, third = 3 << 61, 1 << 61
    drawn = secure().integers(high, N)
    assert uniform_p(np.bincount(drawn // third, minlength=3)) > ALPHA
    biased = (secure().bits(N) % np.uint64(high)) // np.uint64(third)
    assert uniform_p(np.bincount(biased.astype(np.int64), minlength=3)) < ALPHA


def test_whole_numbers_at_the_ends() -> None:
    assert not secure().integers(1, 100).any()
    largest = secure().integers(1 << 63, 1000)
    assert largest.min() >= 0
    assert largest.max() > 1 << 61
    assert set(secure().integers(np.int64(2), 200).tolist()) == {0, 1}  # type: ignore[arg-type]
    for high in (0, -1, (1 << 63) + 1, 1 << 70, 2.0, True):
        with pytest.raises(UsageError, match=r"^Expected .*high.*, got high="):
            secure().integers(high, 3)  # type: ignore[arg-type]


def test_permutations_are_equally_likely() -> None:
    rounds, source = 6000, secure()
    seen = {tuple(source.permutation(3).tolist()): 0 for _ in range(200)}
    assert len(seen) == 6
    for _ in range(rounds):
        seen[tuple(source.permutation(3).tolist())] += 1
    assert uniform_p(np.array(list(seen.values()))) > ALPHA
    assert sorted(source.permutation(500).tolist()) == list(range(500))


def test_uniform_numbers() -> None:
    drawn = secure().uniform((N // 2, 2)).ravel()
    assert (drawn >= 0).all()
    assert (drawn < 1).all()
    assert (drawn * 2.0**53 == np.floor(drawn * 2.0**53)).all()
    assert stats.kstest(drawn, "uniform").pvalue > ALPHA
    assert stats.kstest(drawn**1.05, "uniform").pvalue < ALPHA


def test_every_bit_is_fair() -> None:
    words = secure().bits(N // 10)
    for bit in range(64):
        ones = int(((words >> np.uint64(bit)) & np.uint64(1)).sum())
        assert stats.binomtest(ones, len(words), 0.5).pvalue > ALPHA / 64


@pytest.mark.parametrize("shape", [(), 0, 1, 2, 3, 7, (5,), (0,), (3, 0), (2, 3), (1, 1, 5), np.int64(4), [2, 2]])
def test_shapes(shape: Any) -> None:
    wanted = np.zeros(shape).shape
    for drawn in (secure().normal(shape), secure().uniform(shape)):
        assert drawn.shape == wanted
        assert drawn.dtype == np.float64


@pytest.mark.parametrize("shape", [-1, (2, -1), (-1, -2), 1.5, (2.0,), True])
def test_impossible_shapes_are_refused(shape: Any) -> None:
    for draw in (secure().normal, secure().uniform):
        with pytest.raises((UsageError, TypeError)):
            draw(shape)


def test_bad_arguments_are_refused() -> None:
    calls: list[tuple[Callable[[], Any], str]] = [
        (lambda: secure().bits(-1), "count >= 0"),
        (lambda: secure().permutation(-1), "count >= 0"),
        (lambda: secure().bernoulli(0.5, -1), "count >= 0"),
        (lambda: secure().bernoulli(1.5, 3), "0 <= probability <= 1"),
        (lambda: secure().bernoulli(math.nan, 3), "0 <= probability <= 1"),
        (lambda: secure().normal(3, standard_deviation=-1), "standard_deviation >= 0"),
        (lambda: secure().normal(3, standard_deviation=math.inf), "standard_deviation >= 0"),
        (lambda: Randomness.simulated(-1), "seed >= 0"),
        (lambda: Randomness.simulated(1.0), "seed >= 0"),  # type: ignore[arg-type]
    ]
    for call, rule in calls:
        with pytest.raises(UsageError, match=f"Expected .*{rule}"):
            call()


def words(source: Randomness, count: int = 8) -> list[int]:
    return source.bits(count).tolist()


def test_a_simulation_repeats_exactly() -> None:
    """The first words are pinned: they may change on no platform and in no version."""
    assert words(Randomness.simulated(7), 20_000) == words(Randomness.simulated(7), 20_000)
    assert words(Randomness.simulated(7)) != words(Randomness.simulated(8))
    assert words(Randomness.simulated(7), 2) == PINNED
    assert not Randomness.simulated(7).is_secure


@settings(max_examples=50, deadline=None)
@given(st.lists(st.integers(0, 6000), max_size=12))
def test_a_stream_does_not_depend_on_the_sizes_of_the_requests(sizes: list[int]) -> None:
    source = Randomness.simulated(3)
    pieces = [word for size in sizes for word in words(source, size)]
    assert pieces == words(Randomness.simulated(3), sum(sizes))


def test_a_long_stream_never_repeats_itself() -> None:
    drawn = Randomness.simulated(1).bits(50_000)  # several refills
    assert len(np.unique(drawn)) == len(drawn)


def test_spawned_streams_are_named_and_free_of_order() -> None:
    first, second = Randomness.simulated(1), Randomness.simulated(1)
    a, b = words(first.spawn("a")), words(first.spawn("b"))
    second.bits(1000)
    assert (words(second.spawn("b")), words(second.spawn("a"))) == (b, a)
    assert words(first) == words(Randomness.simulated(1)), "spawning drew from the parent"


def test_all_streams_differ() -> None:
    labels = ("a", "b", "a/b", "", "/", "ä", "~", "~1", "1", "model 1", "model 11")
    roots = [Randomness.simulated(seed) for seed in (0, 1, 10, 11)]
    children = [stream.spawn(label) for stream in roots for label in labels]
    streams = roots + children + [stream.spawn(label) for stream in children for label in labels]
    firsts = [words(stream, 1)[0] for stream in streams]
    assert len(set(firsts)) == len(streams)


def test_a_label_with_a_slash_is_not_a_nested_stream() -> None:
    root = Randomness.simulated(1)
    assert words(root.spawn("a/b")) != words(root.spawn("a").spawn("b"))
    assert words(root.spawn("a~1b")) != words(root.spawn("a/b"))
    assert words(root.spawn("a").spawn("b")) == words(Randomness.simulated(1).spawn("a").spawn("b"))


def test_secure_streams_never_repeat() -> None:
    root = secure()
    streams = [root, secure(), root.spawn("a"), root.spawn("a"), root.spawn("a").spawn("b")]
    assert all(stream.is_secure for stream in streams)
    assert len({words(stream, 1)[0] for stream in streams}) == len(streams)


def test_the_key_that_made_a_number_is_erased() -> None:
    source = secure()
    keys = set()
    for refill in range(4):
        source.bits((randomness._FIRST_REFILL << refill) // 8)
        keys.add(source._key)
    assert len(keys) == 4
    assert source._buffer == b""


CLONES: dict[str, Callable[[Randomness], Randomness]] = {
    "pickle": lambda source: pickle.loads(pickle.dumps(source)),  # noqa: S301
    "copy": copy.copy,
    "deepcopy": copy.deepcopy,
}


@pytest.mark.parametrize("clone", CLONES.values(), ids=CLONES)
def test_copies(clone: Callable[[Randomness], Randomness]) -> None:
    source = secure()
    source.bits(5)
    other = clone(source)
    assert other.is_secure
    assert not set(words(other)) & set(words(source))
    for simulated in (Randomness.simulated(5), Randomness.simulated(5).spawn("x/y").spawn("z")):
        simulated.bits(5)
        other = clone(simulated)
        assert repr(other) == repr(simulated)
        assert words(other.spawn("s")) == words(simulated.spawn("s"))
        assert words(other, 9000) == words(simulated, 9000)


def in_a_fork(work: Callable[[], list[int]]) -> list[int]:
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:  # pragma: no cover
        try:
            os.write(writer, np.array(work(), dtype="<u8").tobytes())
        finally:
            os._exit(0)
    os.close(writer)
    with os.fdopen(reader, "rb") as stream:
        content = stream.read()
    os.waitpid(child, 0)
    return np.frombuffer(content, dtype="<u8").tolist()


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork on this platform")
@pytest.mark.parametrize("used", [0, 5, randomness._FIRST_REFILL // 8])
@pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning")
def test_forks(used: int) -> None:
    source, simulated = secure(), Randomness.simulated(5)
    source.bits(used)
    simulated.bits(used)
    children = [in_a_fork(lambda: words(source)) for _ in range(2)]
    grandchild = in_a_fork(lambda: in_a_fork(lambda: words(source)))
    everything = [*children[0], *children[1], *grandchild, *words(source)]
    assert len(set(everything)) == 32
    child = in_a_fork(lambda: words(simulated))
    assert child == words(simulated)


@pytest.mark.slow
def test_processes_of_a_pool_get_keys_of_their_own() -> None:
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        source, simulated = secure(), Randomness.simulated(5)
        assert not set(pool.apply(words, (source,))) & set(words(source))
        assert pool.apply(words, (simulated,)) == words(simulated)
        pool.close()
        pool.join()


def test_seed_is_63_bits_and_repeats_only_in_simulations() -> None:
    seeds = [secure().seed() for _ in range(200)]
    assert len(set(seeds)) == 200
    assert all(0 <= seed < 1 << 63 for seed in seeds)
    assert max(seeds) > 1 << 61
    assert Randomness.simulated(1).seed() == Randomness.simulated(1).seed()


def test_text_says_whether_it_protects_and_never_the_key() -> None:
    source = secure()
    assert repr(source) == "Randomness.secure()"
    assert repr(Randomness.simulated(3)).startswith("Randomness.simulated(3")
    assert "/a" in repr(Randomness.simulated(3).spawn("a"))


def test_required_takes_nothing_else() -> None:
    source = secure()
    assert required(source) is source
    for other in (None, 7, np.random.default_rng(1), "secure", Randomness, True):
        with pytest.raises(
            UsageError, match=r"^Expected a Randomness, got randomness=.*Pass Randomness\.secure\(\), or"
        ):
            required(other)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_added_noise_is_the_noise_that_normal_gives(dtype):
    """Also across the blocks in which it is drawn."""
    for size in (1, 2, 5, 40_000, 70_001):
        totals = np.full(size, 3.0, dtype)
        Randomness.simulated(5).add_normal(totals, standard_deviation=0.5)
        expected = 3.0 + Randomness.simulated(5).normal(size, standard_deviation=0.5)
        np.testing.assert_allclose(totals, expected, rtol=0, atol=1e-6 if dtype is np.float32 else 0)


def test_added_noise_in_single_precision_is_gaussian():
    """Kolmogorov and Smirnov on 2e5 draws: false alarm 1e-6; a deviation that is 5 % off is rejected."""
    drawn = np.zeros(200_000, np.float32)
    Randomness.secure().add_normal(drawn, standard_deviation=2.0)
    assert stats.kstest(drawn.astype(float), "norm", args=(0, 2.0)).pvalue > 1e-6
    assert stats.kstest(drawn.astype(float), "norm", args=(0, 2.1)).pvalue < 1e-6


def test_noise_is_added_to_arrays_that_can_hold_it_only():
    with pytest.raises(UsageError, match="contiguous array"):
        Randomness.secure().add_normal(np.zeros((4, 4))[:, ::2], standard_deviation=1.0)
    with pytest.raises(UsageError, match="float32 or float64"):
        Randomness.secure().add_normal(np.zeros(4, np.float16), standard_deviation=1.0)


def test_the_sum_is_divided_after_the_noise():
    totals = np.full(70_001, 3.0)
    Randomness.simulated(5).add_normal(totals, standard_deviation=0.5, divisor=8.0)
    expected = (3.0 + Randomness.simulated(5).normal(70_001, standard_deviation=0.5)) / 8.0
    np.testing.assert_array_equal(totals, expected)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_no_noise_stays_in_memory(dtype):
    Randomness.secure().add_normal(np.zeros(100_000, dtype), standard_deviation=1.0)
    assert not any(array.any() for array in vars(randomness._space(dtype)).values())


def test_a_stream_does_not_depend_on_the_sizes_in_which_it_is_asked_for():
    at_once = Randomness.simulated(3).bits(60_000)
    source = Randomness.simulated(3)
    pieces = [source.bits(size) for size in (1, 500, 11, 511, 1, 20_000, 38_976)]
    np.testing.assert_array_equal(np.concatenate(pieces), at_once)


# --- a key that several processes hold ---


def test_a_shared_key_gives_the_same_streams_to_all_that_hold_it():
    key = os.urandom(32)
    mine, theirs = Randomness.shared(key), Randomness.shared(key)
    assert mine.is_secure
    assert mine.is_shared
    assert not secure().is_shared
    assert repr(mine) == "Randomness.secure()"
    assert mine.bits(5).tolist() == theirs.bits(5).tolist()
    for path in (("a",), ("a", "b"), ("a/b",), ("",)):
        one, other = mine, theirs
        for label in path:
            one, other = one.spawn(label), other.spawn(label)
        assert one.is_shared
        assert one.bits(3).tolist() == other.bits(3).tolist()
    streams = [mine.spawn("a"), mine.spawn("b"), mine.spawn("a").spawn("b"), mine.spawn("a/b"), Randomness.shared(key)]
    streams += [Randomness.shared(os.urandom(32)).spawn("a")]
    assert len({tuple(stream.bits(2).tolist()) for stream in streams}) == len(streams)


def test_a_shared_stream_is_as_random_as_any():
    sample = Randomness.shared(os.urandom(32)).spawn("batch 3").normal(N)
    assert min(mean_p(sample), variance_p(sample), shape_p(sample)) > ALPHA


def test_a_shared_key_stays_where_it_is():
    stream = Randomness.shared(os.urandom(32))
    for copied in (copy.copy, copy.deepcopy, pickle.dumps):
        with pytest.raises(UsageError, match="stay in its process"):
            copied(stream)
    for key in (b"short", "x" * 32, None):
        with pytest.raises(UsageError, match="32 bytes"):
            Randomness.shared(key)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_a_fork_is_none_of_those_that_agreed():
    stream = Randomness.shared(os.urandom(32))
    before = stream.spawn("x").bits(2).tolist()
    read, write = os.pipe()
    child = os.fork()
    if child == 0:
        os.write(write, repr((stream.is_shared, stream.spawn("x").bits(2).tolist() == before)).encode())
        os._exit(0)
    os.waitpid(child, 0)
    assert os.read(read, 100) == b"(False, False)"
    assert stream.spawn("x").bits(2).tolist() == before
