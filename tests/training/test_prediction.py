"""`PrivatePredictor`: the account is never below what was answered, whoever asks, however often, and whatever dies."""

from __future__ import annotations

import copy
import dataclasses
import os
import pickle
import subprocess
import sys
import threading
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import chi2
from tests.oracles.votes import winning

from reticent.data import Records
from reticent.errors import BudgetExhausted, DataError, UsageError
from reticent.privacy import GaussianFilter, GNMax, Guarantee, Relation, Unit, VoteTest, Voting
from reticent.randomness import Randomness
from reticent.training import PrivatePredictor, Teachers, train_teachers

CLASSES = 3


def digit(records, randomness):
    """A teacher that votes for the digit of the question that its own first record names: all kinds of agreement."""
    place = int(records.features[0, 0]) % 4
    return lambda x: np.eye(CLASSES)[(np.asarray(x)[:, 0].astype(int) // 3**place) % 3]


def teachers_of(count: int = 20, relation: Relation = Relation.ADD_OR_REMOVE_ONE) -> Teachers:
    records = Records(np.arange(200.0)[:, None], np.arange(200) % CLASSES, unit=Unit.PERSON, owners=np.arange(200) // 2)
    source = Randomness.simulated(1)
    return train_teachers(records, digit, teachers=count, randomness=source, relation=relation, jobs=1)


TEACHERS = teachers_of()
PLAIN, CAREFUL = Voting(30.0), Voting(25.0, threshold=10.0, threshold_noise=12.0)


def predictor(voting=PLAIN, *, epsilon=2.0, delta=1e-5, seed=1, **options):
    source = Randomness.simulated(seed)
    return PrivatePredictor(TEACHERS, voting, epsilon=epsilon, delta=delta, randomness=source, **options)


def asked_until_refused(one, caller=None, start=0):
    answers = []
    while True:
        try:
            answers.append(one.ask([float(start + len(answers))], caller))
        except BudgetExhausted:
            return answers


# One account ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("voting", [PLAIN, CAREFUL])
def test_answers_until_the_budget_is_used_up_and_not_one_more(voting):
    one = predictor(voting)
    answers = asked_until_refused(one)
    given = sum(answer is not None for answer in answers)
    wanted = (GNMax(voting.noise, given),)
    if voting.threshold is not None:
        assert given < len(answers)
        wanted = (VoteTest(12.0, len(answers)), *wanted)
        assert set(one.spent()) == set(wanted)
    assert Guarantee(wanted).epsilon(1e-5) <= 2.0 * (1 + 2e-4)
    more = (GNMax(voting.noise, given + 2), *((VoteTest(12.0, len(answers) + 2),) if voting.threshold else ()))
    assert Guarantee(more).epsilon(1e-5) > 2.0
    with pytest.raises(
        BudgetExhausted, match=r"budget of epsilon = 2 at delta = 1e-05 of all callers together is left"
    ):
        one.ask([1e4])
    # What was asked before is still answered, as before, at no cost.
    left = one.share_left()
    assert [one.ask([float(k)]) for k in range(len(answers))] == answers
    assert one.share_left() == left
    (only,) = one.guarantee().mechanisms
    assert isinstance(only, GaussianFilter)
    assert one.guarantee().epsilon(1e-5) <= 2.0


def test_equal_questions_are_equal_whatever_they_are_made_of():
    one = predictor()
    first = one.ask([0.0])
    for same in ([-0.0], [0], np.zeros(1, dtype=np.float32), np.zeros(1, dtype=np.int8)):
        assert one.ask(same) == first
    assert one.spent() == (GNMax(30.0, 1),)
    one.ask([1e-30])
    assert one.spent() == (GNMax(30.0, 2),)


@pytest.mark.slow
def test_answers_follow_their_law():
    """1,500 different questions with the same votes against quadrature, at an error rate of 1e-4."""
    runs, voting = 1500, Voting(4.0)
    one = predictor(voting, epsilon=200.0)
    questions = 81.0 * np.arange(runs) + 5.0  # the four digits that teachers look at are the same
    votes = TEACHERS.votes(questions[:1, None])[0].astype(float)
    observed = np.bincount([one.ask([question]) for question in questions], minlength=CLASSES)
    expected = runs * winning(votes, 4.0)
    assert ((observed - expected) ** 2 / expected).sum() < chi2.isf(1e-4, CLASSES - 1)


def test_whose_promise_it_is():
    promise = predictor().guarantee()
    assert (promise.unit, promise.relation, promise.simulated) == (Unit.PERSON, Relation.ADD_OR_REMOVE_ONE, True)
    text = promise.text(1e-5)
    assert "everything that was released was charged to the budget first" in text
    assert "not covered: votes without noise" in text
    exchanged = PrivatePredictor(teachers_of(relation=Relation.REPLACE_ONE), PLAIN, epsilon=1.0, delta=1e-5)
    assert exchanged.guarantee().dataset_size == 100
    assert exchanged.guarantee().simulated  # the parts were
    with pytest.raises(UsageError, match="delta < 1/n"):
        PrivatePredictor(exchanged.teachers, PLAIN, epsilon=1.0, delta=0.01)


# Callers ----------------------------------------------------------------------------------------------------------


@pytest.mark.slow
@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.tuples(st.sampled_from(["ann", "bob", "eve"]), st.integers(0, 12)), max_size=60),
    st.sampled_from([Voting(9.0), Voting(9.0, threshold=10.0, threshold_noise=7.0)]),
    st.integers(0, 1000),
)
def test_each_account_is_of_what_its_owner_saw(asked, voting, seed):
    one = predictor(voting, epsilon=3.0, callers={"ann": 1.5, "bob": 2.0, "eve": 3.0}, seed=seed)
    seen: dict[str, dict[int, int | None]] = {"ann": {}, "bob": {}, "eve": {}}
    everything: dict[int, int | None] = {}
    for caller, question in asked:
        try:
            answer = one.ask([float(question)], caller)
        except BudgetExhausted:
            assert question not in seen[caller]
            continue
        assert everything.setdefault(question, answer) == answer  # one answer, whoever asks
        seen[caller][question] = answer
    for caller, answers in seen.items():
        own = {type(mechanism): mechanism.count for mechanism in one.spent(caller)}
        assert own.get(GNMax, 0) == sum(answer is not None for answer in answers.values())
        assert own.get(VoteTest, 0) == (len(answers) if voting.threshold else 0)
        assert Guarantee(one.spent(caller)).epsilon(1e-5) <= one._callers[caller].epsilon * (1 + 2e-4)
    # The whole is charged for every question that anybody asked, answered or not.
    total = {type(mechanism): mechanism.count for mechanism in one.spent()}
    assert total.get(GNMax, 0) == len(everything)
    assert Guarantee(one.spent()).epsilon(1e-5) <= 3.0 * (1 + 2e-4)


def test_callers_run_out_one_by_one():
    one = predictor(Voting(20.0), epsilon=3.0, callers={"ann": 1.0, "bob": 2.0})
    by_ann = asked_until_refused(one, "ann")
    with pytest.raises(BudgetExhausted, match="of ann is left"):
        one.ask([999.0], "ann")
    left = one.share_left()
    # Bob is told what Ann was told: charged to him, not to the whole.
    assert [one.ask([float(k)], "bob") for k in range(len(by_ann))] == by_ann
    assert one.share_left() == left
    assert one.spent("bob") == one.spent("ann") == (GNMax(20.0, len(by_ann)),)
    assert one.guarantee("ann").epsilon(1e-5) <= 1.0
    assert "other callers keep their answers to themselves" in one.guarantee("ann").assumptions
    assert "other callers keep their answers to themselves" not in one.guarantee().assumptions
    for caller in (None, "eve"):
        with pytest.raises(UsageError, match=r"Expected a known caller, got caller=.*known are ann, bob"):
            one.ask([1.0], caller)
    with pytest.raises(UsageError, match="nobody is told apart"):
        predictor().ask([1.0], "ann")


# Stops ------------------------------------------------------------------------------------------------------------


def test_a_predictor_goes_on_where_it_stopped(tmp_path: Path):
    options = {"state": tmp_path / "answers", "callers": {"ann": 1.0, "bob": 1.5}}
    with predictor(CAREFUL, **options) as one:
        answers = {
            (caller, k): one.ask([float(k)], caller) for caller, many in (("ann", 5), ("bob", 9)) for k in range(many)
        }
        spent = one.spent(), one.spent("ann"), one.spent("bob")
    with predictor(CAREFUL, seed=2, **options) as again:
        assert (again.spent(), again.spent("ann"), again.spent("bob")) == spent
        assert {(caller, k): again.ask([float(k)], caller) for caller, k in answers} == answers
        assert (again.spent(), again.spent("ann"), again.spent("bob")) == spent
        asked_until_refused(again, "bob", start=50)
        final = again.share_left("bob")
    with predictor(CAREFUL, **options) as last, pytest.raises(BudgetExhausted):
        assert last.share_left("bob") == pytest.approx(final)
        last.ask([888.0], "bob")
    with pytest.raises(UsageError, match="Expected the ledger of"):
        predictor(CAREFUL, epsilon=9.0, **options)


def test_an_answer_that_cannot_be_written_is_not_given(tmp_path: Path):
    one = predictor(state=tmp_path / "answers")
    known = one.ask([1.0])
    assert one._ledger is not None
    one._ledger.close()
    with pytest.raises(UsageError, match="open ledger"):
        one.ask([2.0])
    assert one.ask([1.0]) == known


@pytest.mark.parametrize("kept", [True, False])
def test_nothing_is_answered_after_the_end(tmp_path: Path, kept):
    with predictor(state=tmp_path / "answers" if kept else None) as one:
        one.ask([1.0])
    for question in (1.0, 2.0):
        with pytest.raises(UsageError, match="got one that was closed"):
            one.ask([question])
    assert one.spent() == (GNMax(30.0, 1),)


def test_simulated_answers_stay_simulated(tmp_path: Path):
    """Noise that can be computed again protects nobody: a secure predictor may not give such answers as its own."""
    state = tmp_path / "answers"
    secure = dataclasses.replace(TEACHERS, simulated=False)

    def opened(teachers, source):
        return PrivatePredictor(teachers, PLAIN, epsilon=2.0, delta=1e-5, state=state, randomness=source)

    with opened(secure, Randomness.simulated(0)) as one:
        one.ask([1.0])
        assert one.guarantee().simulated
    for teachers, source in ((secure, None), (TEACHERS, None), (TEACHERS, Randomness.simulated(0))):
        with pytest.raises(UsageError, match=r"Expected the ledger of .*'simulated'"):
            opened(teachers, source)
    with opened(secure, Randomness.simulated(0)) as again:
        assert again.guarantee().simulated
    state.unlink()
    with opened(secure, None) as one:
        one.ask([1.0])
    with opened(secure, Randomness.secure()) as again:
        assert not again.guarantee().simulated
    with pytest.raises(UsageError, match="Expected the ledger of"):
        opened(secure, Randomness.simulated(0))


SERVER = """
import sys
sys.path[:0] = {path!r}
from tests.training import test_prediction as here
one = here.predictor(here.CAREFUL, epsilon=50.0, state={state!r}, seed=int(sys.argv[1]))
question = len(one._told)
while True:
    answer = one.ask([float(question)])
    print(question, answer, flush=True)
    question += 1
"""


@pytest.mark.slow
@pytest.mark.skipif(os.name != "posix", reason="kill -9")
def test_killed_at_any_moment_the_account_is_never_too_low(tmp_path: Path):
    """Everything that a process had answered when it was killed is in the account, and is answered again the same."""
    state = tmp_path / "answers"
    root = Path(__file__).parents[2]
    code = SERVER.format(path=[str(root)], state=str(state))
    seen: dict[int, str] = {}
    for round_number, lines in enumerate((3, 40)):
        process = subprocess.Popen(
            [sys.executable, "-c", code, str(round_number)], stdout=subprocess.PIPE, text=True, cwd=root
        )
        assert process.stdout is not None
        said = [process.stdout.readline() for _ in range(lines)]
        process.kill()
        said += process.stdout.read().splitlines()
        process.wait()
        process.stdout.close()
        seen.update((int(line.split()[0]), line.split()[1]) for line in said if len(line.split()) == 2)
        with predictor(CAREFUL, epsilon=50.0, state=state) as one:
            spent = {type(mechanism): mechanism.count for mechanism in one.spent()}
            assert spent[VoteTest] >= len(seen)
            assert spent[GNMax] >= sum(answer != "None" for answer in seen.values())
            assert {k: str(one.ask([float(k)])) for k in seen} == seen
            assert {type(mechanism): mechanism.count for mechanism in one.spent()} == spent


# Several at once --------------------------------------------------------------------------------------------------


def test_threads_cannot_overdraw(tmp_path: Path):
    one = predictor(Voting(12.0), epsilon=3.0, state=tmp_path / "answers")
    most = len(asked_until_refused(predictor(Voting(12.0), epsilon=3.0)))
    told: list[tuple[int, int | None]] = []
    lock = threading.Lock()

    def ask(start: int) -> None:
        for question in range(start, start + most):
            try:
                answer = one.ask([float(question)])
            except BudgetExhausted:
                continue
            with lock:
                told.append((question, answer))

    threads = [threading.Thread(target=ask, args=(start,)) for start in (0, 2, most // 2, most)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    one.close()
    assert len({question for question, _ in told}) == most
    assert len(set(told)) == most  # one answer to each, whoever asked
    assert len((tmp_path / "answers").read_text("utf-8").splitlines()) == most + 1


def test_copies_and_other_processes_are_refused(monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    one = predictor(state=tmp_path / "answers")
    for copied in (copy.copy, copy.deepcopy, pickle.dumps):
        with pytest.raises(UsageError, match="to stay in its process"):
            copied(one)
    with pytest.raises(UsageError, match="another process has it"):
        predictor(state=tmp_path / "answers")
    monkeypatch.setattr(os, "getpid", lambda: -1)
    with pytest.raises(UsageError, match="the process that made the predictor"):
        one.ask([1.0])
    one.close()


# Refusals ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("question", "message"),
    [
        (1.0, "one question of shape"),
        ([1.0, 2.0], "one question of shape"),
        ([[1.0]], "one question of shape"),
        (["a"], "one question of shape"),
        ([float("nan")], "finite features"),
        ([float("inf")], "finite features"),
    ],
)
def test_questions_that_are_none_cost_nothing(question, message):
    one = predictor()
    with pytest.raises(DataError, match=message):
        one.ask(question)
    assert one.share_left() == 1.0


def test_what_cannot_be_is_refused():
    for wrong in ((None, PLAIN), (TEACHERS, None), (TEACHERS, Voting(3.0, law="laplace"))):
        with pytest.raises(UsageError, match="Expected trained Teachers and a Voting with Gaussian noise"):
            PrivatePredictor(*wrong, epsilon=1.0, delta=1e-5)
    with pytest.raises(UsageError, match="epsilon > 0"):
        predictor(callers={"ann": 0.0})
    with pytest.raises(BudgetExhausted):
        predictor(Voting(0.0)).ask([1.0])
