"""A training over several processes is the training of one: equal to it, up to rounding, where randomness repeats."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tests.training import processes, processes_at_work
from tests.training.processes import CASES
from tests.training.worlds import World

from reticent.privacy import Cyclic, Poisson, RandomAllocation, Sampler, Shuffled
from reticent.training.agreeing import assumed
from reticent.training.ranks import Ranks


def assert_same(found: list[dict[str, Any]], alone: dict[str, Any], what: object) -> None:
    for rank, own in enumerate(found):
        assert own["parameters"].keys() == alone["parameters"].keys()
        for name, value in own["parameters"].items():
            assert np.array_equal(value, found[0]["parameters"][name]), (what, name, rank)  # to the bit
            assert np.allclose(value, alone["parameters"][name], rtol=0, atol=2e-5), (what, name)
        assert own["thresholds"] == found[0]["thresholds"]
        assert own["thresholds"] == pytest.approx(alone["thresholds"], rel=1e-6)
        assert own["ignored"] == alone["ignored"]
        assert set(own["assumptions"]) == {*alone["assumptions"], *assumed(Ranks(rank, len(found)))}


@pytest.mark.slow
@pytest.mark.parametrize("case", CASES)
def test_it_equals_the_training_of_one_process(world: Callable[[int], World], case: str) -> None:
    alone = processes.whole_training("plain", case)
    assert (alone["ignored"] > 0) == (case == "not finite")
    ways = [(2, "ddp"), (4, "fsdp")]
    if case in {"plain", "in parts", "moving threshold"}:
        ways += [(2, "plain"), (4, "ddp"), (2, "fsdp"), (1, "fsdp")]
    for size, kind in ways:
        assert_same(world(size).run(processes.whole_training, kind, case), alone, (size, kind))


@pytest.mark.slow
@pytest.mark.parametrize("case", ["moving threshold", "frozen and tied", "narrow"])
def test_any_number_of_processes_goes_on_from_a_saved_state(
    world: Callable[[int], World], case: str, tmp_path: Path
) -> None:
    alone = processes.whole_training("plain", case)
    for size, kind in ((2, "ddp"), (4, "fsdp")):
        path = str(tmp_path / f"{size} {kind}.state")
        world(size).run(processes.whole_training, kind, case, path)
        assert_same([processes.whole_training("plain", case, None, path)], alone, "one process")
        for after, other in ((2, "fsdp"), (4, "ddp")):
            found = world(after).run(processes.whole_training, other, case, None, path)
            assert_same(found, alone, (size, kind, after, other))


@pytest.mark.slow
@pytest.mark.parametrize("sampler", [Poisson(), RandomAllocation(), Shuffled(), Cyclic(2)], ids=lambda one: one.kind)
def test_a_secure_run_that_stopped_goes_on_in_all_processes(
    world: Callable[[int], World], sampler: Sampler, tmp_path: Path
) -> None:
    found = world(2).run(processes_at_work.secure_run_that_stops, str(tmp_path), sampler)
    (before, after, parameters), others = found[0], found[1]
    assert 6 <= before <= after == 14  # what was lost is charged
    assert others[:2] == (before, after)
    assert all(np.array_equal(parameters[name], others[2][name]) for name in parameters)


@pytest.mark.slow
def test_an_ordinary_script_runs_under_torchrun() -> None:
    script = Path(__file__).parents[2] / "examples" / "private_training_on_several_processes.py"
    done = subprocess.run(
        [
            sys.executable,
            "-m",
            "torch.distributed.run",
            "--standalone",
            "--nproc-per-node",
            "2",
            script,
            "--epochs",
            "2",
        ],
        env={**os.environ, "OMP_NUM_THREADS": "1", "PYTHONWARNINGS": "ignore"},
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr
    assert re.search(r"^accuracy on unseen patients: 0\.\d\d$", done.stdout, flags=re.MULTILINE)
    assert "at rate 0.288288" in done.stdout  # 2 times 32 of 222
    assert done.stdout.count("the 2 processes and the network between them are trusted") == 1  # the first one prints
