"""The processes of a training: one law of batches, split; errors that all hear of."""

from __future__ import annotations

import dataclasses
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
from scipy.stats import binom, chi2, chisquare, norm
from tests.training import processes, processes_at_work
from tests.training.processes import FAULTS, RATE, RECORDS, SAMPLED, STEPS
from tests.training.worlds import World

from reticent.errors import UsageError
from reticent.randomness import Randomness
from reticent.training.ranks import Ranks, fingerprint
from reticent.training.sampling import planned_batches

REJECTED = 1e-6  # for each of the five numbers below, of which ten are looked at


def faults_in(found: list[list[list[int]]]) -> list[str]:
    """What is wrong with the union of the processes' shares, if it should be a Poisson sample."""
    assert {len(shares) for shares in found} == {STEPS}
    taken = np.zeros((STEPS, RECORDS), dtype=int)
    for shares in found:
        for step, rows in enumerate(shares):
            np.add.at(taken[step], rows, 1)
    wrong = ["a record is taken twice"] if taken.max() > 1 else []
    scaled = (taken - RATE) / np.sqrt(RATE * (1 - RATE))
    if chi2.sf((scaled.sum(0) ** 2).sum() / STEPS, RECORDS) < REJECTED:
        wrong.append("records do not take part at the rate")
    sizes = np.bincount(np.clip(taken.sum(1), 1, 12), minlength=13)[1:]
    expected = binom.pmf(range(RECORDS + 1), RECORDS, RATE)
    expected = np.array([expected[:2].sum(), *expected[2:12], expected[12:].sum()]) * STEPS
    if chisquare(sizes, expected).pvalue < REJECTED:
        wrong.append("batches have other sizes")
    pairs = (scaled.T @ scaled)[np.triu_indices(RECORDS, 1)] / np.sqrt(STEPS)
    if chi2.sf((pairs**2).sum(), len(pairs)) < REJECTED or chi2.cdf((pairs**2).sum(), len(pairs)) < REJECTED:
        wrong.append("records depend on one another")
    follow = (scaled[1:] * scaled[:-1]).sum() / np.sqrt((STEPS - 1) * RECORDS)
    if abs(follow) > norm.isf(REJECTED / 2):
        wrong.append("batches depend on those before")
    return wrong


@pytest.mark.slow
@pytest.mark.parametrize("size", [2, 4])
def test_the_union_of_the_shares_is_a_poisson_sample(world: Callable[[int], World], size: int) -> None:
    found = world(size).run(processes.shares)
    assert faults_in(found) == []
    lengths = np.array([[len(rows) for rows in shares] for shares in found])
    assert (np.ptp(lengths, axis=0) <= 1).all()  # nobody waits for long
    again = world(size).run(processes.shares, None, None, dataclasses.replace(SAMPLED, steps=20))
    assert [shares[:20] for shares in found] != again  # a fresh key each time


@pytest.mark.slow
@pytest.mark.parametrize("fault", FAULTS)
def test_a_planted_fault_in_the_law_is_caught(world: Callable[[int], World], fault: str) -> None:
    assert faults_in(world(2).run(processes.shares, None, fault)) != []


@pytest.mark.slow
def test_simulated_batches_are_those_of_one_process(world: Callable[[int], World]) -> None:
    source = Randomness.simulated(11).spawn("sampling")
    alone = [planned_batches(SAMPLED, source)[number].tolist() for number in range(STEPS)]
    for size in (1, 2, 4):
        found = world(size).run(processes.shares, 11)
        union = [sorted(row for shares in found for row in shares[step]) for step in range(STEPS)]
        assert union == alone


@pytest.mark.slow
def test_workers_of_the_loader_draw_from_seeds_of_their_own(world: Callable[[int], World]) -> None:
    source = Randomness.simulated(4).spawn("sampling")
    alone = [planned_batches(SAMPLED, source)[number].tolist() for number in range(6)]
    found = world(2).run(processes_at_work.with_workers, 6)
    assert [sorted(a + b) for (a, b) in zip(found[0][0], found[1][0], strict=True)] == alone
    assert not found[0][1] & found[1][1]


# Errors -----------------------------------------------------------------------------------------------------------

BEFORE = {
    "another_start": "starting value of 3.bias in all 2 processes, but process 0 has .* Set one seed in all",
    "another_seed": r"same randomness in all 2.*simulated\(0''\) and process 1 has Randomness.simulated\(1''\)",
    "another_plan": "same plan in all 2 processes",
    "another_network": "same network in all 2 processes",
    "another_loss": "same loss reduction in all 2 processes",
    "parts_of_the_data": "same data set in all 2 processes, but record 0 differs",
    "another_number_of_records": "UsageError: Expected a plan for this data set of 119 records",
    "sampler_of_others": "DistributedSampler of the 2 processes that train together, got one for process 0 of 2 in",
    "sampler_of_other_data": "a sampler of the loader's 120 records, got one of 10",
    "wrapped_inside": "but 1 is a DistributedDataParallel",
    "wrapped_for_some": "a network of all 2 processes that train, got one of 1",
    "hybrid": r"spread over all 2 processes, but 0.weight lies as \(Replicate\(\), Shard\(dim=0\)\)",
    "tensor_parallel": "spread over all 2 processes, but 0.weight lies as",
    "ordinary": "a plan for 2 processes that train together, got none",
    "checked_when_sharded": "one that is sharded: it cannot be copied.*before fully_shard",
}


@pytest.mark.slow
@pytest.mark.parametrize("mistake", BEFORE)
def test_processes_start_alike_or_not_at_all(world: Callable[[int], World], mistake: str) -> None:
    texts = world(2).errors(getattr(processes_at_work, mistake))
    assert any(matches(BEFORE[mistake], text) for text in texts), texts
    for text in texts:
        assert matches(BEFORE[mistake], text) or "PeerError: Expected all 2 processes to go on" in text, texts


WITHIN = {
    "one_leaves_a_step_out": "UsageError: Expected optimizer.step.. for every batch",
    "one_adds_a_penalty": "UsageError: Expected gradients from the private model's outputs|ModelError: Expected every",
    "reading": "OSError: the disk is gone",
    "forward_pass": "KeyError: 'a word that is in no dictionary'",
    "forward_pass_when_sharded": "KeyError: 'a word that is in no dictionary'",
}


@pytest.mark.slow
@pytest.mark.parametrize("mistake", WITHIN)
def test_an_error_in_one_process_is_one_in_all(world: Callable[[int], World], mistake: str) -> None:
    first, second = world(2).errors(getattr(processes_at_work, mistake))
    assert matches(WITHIN[mistake], second)
    assert "PeerError: Expected all 2 processes to go on, but process 1 failed: " in first
    assert matches(WITHIN[mistake], first)


@pytest.mark.slow
def test_other_things_that_come_apart(world: Callable[[int], World], tmp_path: Path) -> None:
    def texts(mistake: str, *args: str) -> list[str]:
        return world(2).errors(getattr(processes_at_work, mistake), *args)

    for mistake, said in {
        "another_batch": "same batch and step in all 2",
        "penalty_when_sharded": "but 0.weight has another one",
    }.items():
        assert [said in text for text in texts(mistake)] == [True, True]
    for mistake, said in {
        "saved_between_parts": "Expected to save between two steps",
        "changed_in_one": "same value of 0.weight in all 2",
        "other_files": "same saved state in all 2",
        "odd_memory": "memory has its parameters' shapes",
    }.items():
        found = texts(mistake, str(tmp_path))
        assert [said in text for text in found] == [True, True], found
    first, second = texts("written_nowhere")
    assert "UsageError" in first
    assert "process 0 failed: UsageError" in second
    assert all("fallen out of step" in text for text in world(2).run(processes_at_work.going_on_after_an_error))


@pytest.fixture
def brief_world() -> Iterator[World]:
    """Two processes of which one may end."""
    made = World(2)
    yield made
    made.close()


@pytest.mark.slow
def test_a_process_that_ends_is_noticed(brief_world: World) -> None:
    with pytest.raises(EOFError):
        brief_world.outcomes(processes_at_work.one_ends)
    well, text = brief_world.answers[0]
    assert not well
    assert "PeerError: Expected an answer from all 2 processes, but one is gone" in text


@pytest.mark.slow
def test_nobody_waits_long_for_others_to_hear(world: Callable[[int], World]) -> None:
    _, waited = world(2).run(processes_at_work.nobody_listens)
    assert 0.5 < waited < 15


def test_torchrun_without_an_initialised_group_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    assert Ranks.of().alone
    monkeypatch.setenv("WORLD_SIZE", "4")
    assert Ranks.of().alone  # somebody's own variable
    monkeypatch.setenv("TORCHELASTIC_RUN_ID", "1")
    with pytest.raises(UsageError, match=r"in the 4 processes that torchrun started.*init_process_group"):
        Ranks.of()
    assert Ranks.of("one").alone
    with pytest.raises(UsageError, match="processes"):
        Ranks.of("some")


def test_one_process_agrees_with_itself() -> None:
    alone = Ranks()
    alone.same({"plan": 1})
    with alone.together("anything", 7):
        pass
    with pytest.raises(KeyError), alone.together("anything"):
        raise KeyError
    assert (alone.least(None), alone.least(3), alone.added([1.5]), alone.first([2.0])) == (None, 3, [1.5], [2.0])
    assert alone.everybody(b"x") == [b"x"]
    assert repr(alone.sampling(Randomness.simulated(2))) == repr(Randomness.simulated(2).spawn("sampling"))


@pytest.mark.parametrize("size", [1, 2, 3, 5])
@pytest.mark.parametrize("length", [0, 1, 4, 5, 11])
def test_shares_are_disjoint_and_of_nearly_one_size(size: int, length: int) -> None:
    batch = np.arange(length) * 3
    shares = [Ranks(rank, size).share(batch).tolist() for rank in range(size)]
    assert sorted(row for share in shares for row in share) == batch.tolist()
    assert max(map(len, shares)) == Ranks(0, size).largest_share(length)
    assert max(map(len, shares)) - min(map(len, shares)) <= 1


def test_labels_and_fingerprints_tell_apart() -> None:
    assert [Ranks(rank, 3).label("torch") for rank in range(3)] == [
        "torch",
        "torch of process 1",
        "torch of process 2",
    ]
    batch = np.array([1, 5, 9])
    marks = {fingerprint(0, batch), fingerprint(1, batch), fingerprint(0, batch[:2]), fingerprint(0, batch + 1)}
    assert len(marks) == 4
    assert all(0 <= mark < 1 << 63 for mark in marks)


@pytest.mark.slow
def test_one_process_loads_nothing_of_fsdp() -> None:
    code = "import reticent.training, sys, torch; reticent.training.PerExampleModel(torch.nn.Linear(2, 1))"
    code += "; print(any(name.startswith('torch.distributed.fsdp') for name in sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"


def matches(pattern: str, text: str) -> bool:
    return re.search(pattern, text) is not None
