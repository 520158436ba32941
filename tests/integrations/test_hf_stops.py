"""What a stop has lost is charged, also `kill -9`, whatever checkpoint a Hugging Face run is resumed from."""

from __future__ import annotations

import json
import os
import shutil
import signal
import time
import warnings

import pytest
import torch
from tests.integrations.test_hf import LABELLED, assert_same, bert, hf, plan_of, trainer_of, transformers

from reticent.errors import UsageError
from reticent.privacy import Cyclic, Poisson, RandomAllocation, Schedule
from reticent.randomness import Randomness
from reticent.training.mechanism import PrivateSum

STEPS, SAVED = 16, 5


class Stop(transformers.TrainerCallback):
    """Takes its time, and stops with an error after a step."""

    def __init__(self, after=None, pause=0.0):
        self.after, self.pause = after, pause

    def on_step_end(self, args, state, control, **named):
        time.sleep(self.pause)
        if state.global_step == self.after:
            raise KeyboardInterrupt


def made(folder, *, seed=None, sampler=None, stop=None, **changes):
    sampler = Poisson() if sampler is None else sampler
    trainer = trainer_of(
        folder, bert(), LABELLED, max_steps=STEPS, save_strategy="steps", save_steps=SAVED, sgd=False,
        lr_scheduler_type="linear", save_total_limit=3, logging_strategy="steps", logging_steps=1,
    )  # fmt: skip
    private = hf.make_private(
        trainer,
        plan=plan_of(1.0, steps=STEPS, sampling=sampler, relation=sampler.relations[0], **changes),
        randomness=None if seed is None else Randomness.simulated(seed),
    )
    if stop is not None:
        trainer.add_callback(stop)
    return trainer, private


def interrupted(folder, after, **options):
    with pytest.raises(KeyboardInterrupt):
        made(folder, stop=Stop(after), **options)[0].train()


def begun(folder):
    (place,) = folder.glob("private-*.spent")
    return int(place.read_bytes().splitlines()[1])


def resumed(folder, number=SAVED, lost=None, into=None, **options):
    trainer, private = made(into or folder, **options)
    if lost:
        with pytest.warns(UserWarning, match=f"{lost} steps were begun after this checkpoint"):
            trainer.train(resume_from_checkpoint=str(folder / f"checkpoint-{number}"))
    else:
        trainer.train(resume_from_checkpoint=str(folder / f"checkpoint-{number}"))
    return trainer, private


@pytest.mark.slow
def test_lost_steps_are_charged_and_the_run_ends_where_it_was_planned(tmp_path):
    """Saved at 5, interrupted at 8: 8 of 16 steps are left, with the rates that they would have had."""
    interrupted(tmp_path, 8)
    assert begun(tmp_path) == 8
    trainer, private = resumed(tmp_path, lost=3)
    assert trainer.state.global_step == STEPS
    assert private.guarantee.mechanisms == private.plan.guarantee().mechanisms
    assert trainer.state.epoch == STEPS / 4
    rates = {log["step"]: log["learning_rate"] for log in trainer.state.log_history if "learning_rate" in log}
    assert sorted(rates) == [1, 2, 3, 4, 5, *range(9, STEPS + 1)]
    assert all(rate == pytest.approx(0.1 * (1 - (step - 1) / STEPS)) for step, rate in rates.items())
    losses = [log["loss"] for log in trainer.state.log_history if log.get("loss", 0) != 0]  # a batch may be empty
    assert len(losses) >= STEPS // 2
    assert max(losses) < 3 * min(losses)  # none is divided by steps that were not taken


@pytest.mark.slow
def test_schedules_of_noise_go_past_the_lost_steps_too(tmp_path, monkeypatch):
    """Little noise early, much late, as it is charged: noise of the lost steps must not be used late."""
    schedule = Schedule(((8, 1.0), (8, 4.0)))
    interrupted(tmp_path, 8, noise_schedule=schedule)
    used, original = [], PrivateSum.finish

    def finish(self):
        used.append(self._plan.noise_multiplier_at(self._steps))
        return original(self)

    monkeypatch.setattr(PrivateSum, "finish", finish)
    _, private = resumed(tmp_path, lost=3, noise_schedule=schedule)
    assert used == [4.0] * 8
    assert private.guarantee.mechanisms == private.plan.guarantee().mechanisms


@pytest.mark.slow
def test_an_older_checkpoint_is_charged_for_all_that_came_after(tmp_path):
    interrupted(tmp_path, 12)
    trainer, _ = resumed(tmp_path, number=5, lost=7)
    assert trainer.state.global_step == STEPS
    moved = trainer.model
    nothing, private = resumed(tmp_path, number=15, lost=1)
    assert private.guarantee.mechanisms == private.plan.guarantee().mechanisms
    assert nothing.state.global_step == STEPS
    with pytest.raises(AssertionError):
        assert_same(nothing.model, moved, rtol=0, atol=0)  # the lost steps stay lost


@pytest.mark.slow
def test_the_rest_of_a_round_is_passed_over_and_other_choices_are_kept(tmp_path):
    """An allocation must not be written down: the round of 4 that was begun at 4 is over. Groups may be."""
    interrupted(tmp_path / "allocation", 6, sampler=RandomAllocation())
    trainer, private = resumed(tmp_path / "allocation", lost=3, sampler=RandomAllocation())
    assert sorted(log["step"] for log in trainer.state.log_history if "loss" in log)[5:] == list(range(9, STEPS + 1))
    assert private.guarantee.mechanisms == private.plan.guarantee().mechanisms
    interrupted(tmp_path / "groups", 6, sampler=Cyclic(2))
    trainer, _ = resumed(tmp_path / "groups", lost=1, sampler=Cyclic(2))
    assert sorted(log["step"] for log in trainer.state.log_history if "loss" in log)[5:] == list(range(7, STEPS + 1))


@pytest.mark.slow
def test_another_training_in_the_folder_cannot_set_the_journal_back(tmp_path):
    interrupted(tmp_path, 8)
    shutil.copytree(tmp_path / "checkpoint-5", tmp_path / "first")
    interrupted(tmp_path, 6)  # anew: it overwrites checkpoint-5, and its journal says 6
    assert sorted(int(place.read_bytes().splitlines()[1]) for place in tmp_path.glob("private-*.spent")) == [6, 8]
    shutil.rmtree(tmp_path / "checkpoint-5")
    shutil.move(tmp_path / "first", tmp_path / "checkpoint-5")
    resumed(tmp_path, lost=3)


@pytest.mark.slow
def test_a_resumed_run_in_another_folder_goes_on_in_both_journals(tmp_path):
    interrupted(tmp_path / "one", 8)
    resumed(tmp_path / "one", lost=3, into=tmp_path / "two")
    assert begun(tmp_path / "one") == begun(tmp_path / "two") == STEPS


@pytest.mark.slow
def test_checkpoints_without_their_journal_or_account_are_refused(tmp_path):
    interrupted(tmp_path, 8)
    (place,) = tmp_path.glob("private-*.spent")
    place.rename(tmp_path / "elsewhere")
    with pytest.raises(UsageError, match=rf"Expected {place.name} beside the checkpoint.*compose"):
        resumed(tmp_path)
    (tmp_path / "elsewhere").rename(place)
    (tmp_path / "checkpoint-5" / "trainer_state.json").unlink()  # as a stop leaves it while it is written
    with pytest.raises((UsageError, FileNotFoundError), match=r"got one without its account|trainer_state"):
        resumed(tmp_path)  # transformers itself refuses it, or begins at step 0, depending on the version


@pytest.mark.slow
def test_what_is_known_of_the_last_checkpoint_is_found_by_itself(tmp_path):
    interrupted(tmp_path, 8)
    trainer, _ = made(tmp_path)
    with pytest.warns(UserWarning, match="3 steps were begun"):
        trainer.train(resume_from_checkpoint=True)
    assert trainer.state.global_step == STEPS


# Kills -------------------------------------------------------------------------------------------------------------


def last_whole(folder):
    """The newest checkpoint that was written to its end."""
    found = []
    for place in folder.glob("checkpoint-*/trainer_state.json"):
        try:
            found.append((json.loads(place.read_text())["global_step"], str(place.parent)))
        except ValueError:
            continue
    return max(found, default=(0, None))[1]


def killed(work, until, after):
    """Run the work in a child, and kill it so many seconds after `until()` is true; whether it still lived."""
    child = os.fork()
    if not child:
        try:
            warnings.simplefilter("ignore")
            work()
            os._exit(0)
        finally:
            os._exit(1)
    limit = time.monotonic() + 60
    while not until() and time.monotonic() < limit:
        time.sleep(0.01)
    time.sleep(after)
    os.kill(child, signal.SIGKILL)
    _, status = os.waitpid(child, 0)
    assert os.WIFSIGNALED(status) or os.WEXITSTATUS(status) == 0
    return os.WIFSIGNALED(status)


def counted(folder, truth, pause=0.0):
    """Train on from the newest checkpoint, and write down each noisy sum before anybody sees it."""
    original = PrivateSum.finish

    def finish(self):
        with open(truth, "ab") as file:
            file.write(b".")
        return original(self)

    PrivateSum.finish = finish
    try:
        trainer, private = made(folder, stop=Stop(pause=pause))
        trainer.train(resume_from_checkpoint=last_whole(folder))
    finally:
        PrivateSum.finish = original
    return trainer, private


@pytest.mark.slow
def test_after_kills_the_budget_is_never_below_the_truth(tmp_path):
    """Five kills at random moments; after each, and at the end, at least as many batches as noisy sums."""
    folder, truth = tmp_path / "run", tmp_path / "truth"
    truth.touch()
    deaths = 0
    for after in (0.15 * Randomness.simulated(2).uniform(5)).tolist():
        before = truth.stat().st_size
        deaths += killed(
            lambda: counted(folder, truth, pause=0.02),
            lambda before=before: last_whole(folder) and truth.stat().st_size > before,
            after,
        )
        assert begun(folder) >= truth.stat().st_size
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        trainer, private = counted(folder, truth)
    executed = truth.stat().st_size
    assert trainer.state.global_step == begun(folder) == STEPS >= executed
    charged = private.guarantee.epsilon(1e-3)
    assert private.plan.guarantee(steps=executed).epsilon(1e-3) <= charged == private.plan.guarantee().epsilon(1e-3)
    assert deaths >= 3


@pytest.mark.slow
def test_a_planted_journal_that_was_set_back_spends_less_than_the_truth(tmp_path):
    """The check above would see it: a run that counts from its checkpoints only."""
    interrupted(tmp_path, 8)
    (place,) = tmp_path.glob("private-*.spent")
    place.write_bytes(place.read_bytes().replace(b"8\n", b"5\n"))
    truth = tmp_path / "truth"
    trainer, _ = counted(tmp_path, truth)
    assert trainer.state.global_step == STEPS < 8 + truth.stat().st_size


@pytest.mark.slow
def test_a_simulation_that_was_killed_ends_where_an_uninterrupted_one_does(tmp_path):
    whole, _ = made(tmp_path / "whole", seed=3)
    whole.train()
    folder = tmp_path / "run"

    def work():
        made(folder, seed=3, stop=Stop(pause=0.02))[0].train(resume_from_checkpoint=last_whole(folder))

    assert killed(work, lambda: last_whole(folder), 0.1)
    trainer, private = made(folder, seed=3)
    trainer.train(resume_from_checkpoint=last_whole(folder))
    assert all(map(torch.equal, trainer.model.parameters(), whole.model.parameters()))
    assert private.guarantee.mechanisms == private.plan.guarantee().mechanisms
