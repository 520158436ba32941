"""A loss is taken only if a batch of it is the mean, the sum or the list of what its examples give alone."""

from __future__ import annotations

import pytest
import torch
from torch.nn.functional import binary_cross_entropy_with_logits, cross_entropy, normalize

import reticent as rt
from reticent.errors import UsageError
from reticent.training.losses import reduction_of, varied_rows

torch.manual_seed(0)
X, Y = torch.randn(40, 3), torch.arange(40) % 3
MODEL = torch.nn.Sequential(torch.nn.Linear(3, 8), torch.nn.Dropout(0.5), torch.nn.Linear(8, 3))
WEIGHT = torch.tensor([1.0, 5.0, 0.2])


def contrastive(outputs, labels):
    """Every term depends on the other examples of the batch."""
    ends = normalize(outputs)
    return cross_entropy(ends @ ends.T, torch.arange(len(outputs)))


@pytest.mark.parametrize("reduction", ["mean", "sum", "none"])
def test_the_reductions_of_torch_are_told_apart(reduction):
    assert reduction_of(torch.nn.CrossEntropyLoss(reduction=reduction), MODEL, X, Y) == reduction


def test_weights_are_fine_where_each_example_keeps_its_own():
    assert reduction_of(torch.nn.CrossEntropyLoss(weight=WEIGHT, reduction="sum"), MODEL, X, Y) == "sum"
    safe = lambda out, y: (WEIGHT[y] * cross_entropy(out, y, reduction="none")).mean()  # noqa: E731
    assert reduction_of(safe, MODEL, X, Y) == "mean"


@pytest.mark.parametrize(
    "loss",
    [
        torch.nn.CrossEntropyLoss(weight=WEIGHT),
        contrastive,
        lambda out, y: cross_entropy(out - out.mean(0), y),
    ],
)
def test_losses_that_mix_examples_are_refused(loss):
    with pytest.raises(UsageError, match=r"neither the mean nor the sum.*reduction='none'"):
        reduction_of(loss, MODEL, X, Y)


def test_ignored_labels_change_the_divisor_and_are_refused():
    labels = Y.clone()
    labels[:5] = 2
    with pytest.raises(UsageError, match="neither the mean nor the sum"):
        reduction_of(lambda out, y: cross_entropy(out, y, ignore_index=2), MODEL, X, labels)


def test_a_broken_example_does_not_hide_the_answer():
    x = X.clone()
    x[3] = torch.nan
    assert reduction_of(cross_entropy, MODEL, x, Y) == "mean"


def test_one_logit_and_other_targets_work():
    one = torch.nn.Sequential(torch.nn.Linear(3, 1), torch.nn.Flatten(0))
    assert reduction_of(binary_cross_entropy_with_logits, one, X, (Y == 1).float()) == "mean"


def test_the_model_keeps_its_mode_and_a_loss_must_be_a_tensor():
    MODEL.train()
    reduction_of(cross_entropy, MODEL, X, Y)
    assert MODEL.training
    with pytest.raises(UsageError, match="Expected a tensor from the loss, got NoneType"):
        reduction_of(lambda out, y: None, MODEL, X, Y)


def test_the_rows_that_are_tried_hold_every_label():
    labels = torch.zeros(1000, dtype=torch.long)
    labels[700], labels[900] = 1, 2
    assert {int(labels[row]) for row in varied_rows(labels)} == {0, 1, 2}
    assert len(varied_rows(torch.zeros(5))) == 5
    assert len(varied_rows(torch.arange(1000))) == 32


PLAN = rt.Plan(1.0, 40, 10, 4, delta=1e-3)


def test_training_refuses_class_weights_that_it_would_ignore():
    with pytest.raises(UsageError, match="neither the mean nor the sum"):
        rt.train(torch.nn.Linear(3, 3), (X, Y), torch.nn.CrossEntropyLoss(weight=WEIGHT), plan=PLAN)
    rt.train(torch.nn.Linear(3, 3), (X, Y), torch.nn.CrossEntropyLoss(weight=WEIGHT, reduction="sum"), plan=PLAN)


def made(**options):
    model = torch.nn.Linear(3, 3)
    loader = torch.utils.data.DataLoader(torch.utils.data.TensorDataset(X, Y), batch_size=10, shuffle=True)
    return rt.make_private(model, torch.optim.SGD(model.parameters(), lr=0.1), loader, plan=PLAN, **options)


def test_a_private_loop_finds_the_reduction_out_and_says_whether_it_was_checked():
    assert "the mean over the batch of one term per example (tried" in str(
        made(loss=cross_entropy).guarantee.assumptions
    )
    summed = torch.nn.CrossEntropyLoss(reduction="sum")
    assert "the sum over the batch of one term per example (tried" in str(made(loss=summed).guarantee.assumptions)
    assert "declared, not checked; class weights break it" in str(made().guarantee.assumptions)


@pytest.mark.parametrize(
    ("options", "text"),
    [
        ({"loss": torch.nn.CrossEntropyLoss(weight=WEIGHT)}, "neither the mean nor the sum"),
        ({"loss": torch.nn.CrossEntropyLoss(reduction="none")}, "one value per example"),
        ({"loss": cross_entropy, "loss_reduction": "sum"}, "the mean of its terms"),
    ],
)
def test_a_private_loop_refuses_what_it_cannot_bound(options, text):
    torch.manual_seed(0)  # one network in some hundreds has a weighted mean that equals the plain one to 0.1 %
    with pytest.raises(UsageError, match=text):
        made(**options)


def test_a_network_or_an_optimizer_is_made_private_once():
    private = made()
    loader = torch.utils.data.DataLoader(torch.utils.data.TensorDataset(X, Y), batch_size=10, shuffle=True)
    with pytest.raises(UsageError, match="not private yet"):
        rt.make_private(private.model.module, private.optimizer, loader, plan=PLAN)
    with pytest.raises(UsageError, match="not private yet"):
        rt.make_private(private.model, torch.optim.SGD(private.model.parameters(), lr=0.1), loader, plan=PLAN)


def test_a_forgotten_backward_is_noticed():
    private = made()
    x, _ = next(iter(private.loader))
    private.model(x)
    with pytest.raises(UsageError, match=r"Did you forget loss\.backward"):
        private.optimizer.step()


def test_a_trial_leaves_frozen_parts_in_evaluation_mode():
    """A feature extractor that was put there on purpose must not start to drop out."""
    model = torch.nn.Sequential(torch.nn.Sequential(torch.nn.Linear(3, 3), torch.nn.Dropout()), torch.nn.Linear(3, 2))
    model[0].eval()
    data = torch.utils.data.TensorDataset(torch.randn(40, 3), torch.arange(40) % 2)
    loader = torch.utils.data.DataLoader(data, batch_size=8, shuffle=True)
    plan = rt.Plan(1.0, dataset_size=40, batch_size=8, steps=3, delta=1e-3)
    rt.make_private(model, torch.optim.SGD(model.parameters(), lr=0.1), loader, plan=plan, loss=cross_entropy)
    rt.check_model(model, data.tensors, loss=cross_entropy)
    assert [module.training for module in model[0].modules()] == [False] * 3
    assert model.training


def test_class_weights_that_agree_on_one_batch_are_found_on_its_parts():
    """Weights 1 and 3 on losses that happen to make the weighted mean that of the whole batch."""

    class Outputs(torch.nn.Module):
        def forward(self, x):
            return x

    weight = torch.tensor([1.0, 3.0])
    y = torch.tensor([0, 0, 0, 0, 1, 1])
    x = torch.zeros(6, 2)
    x[:4, 0] = torch.tensor([2.0, -1.0, 2.0, -1.0])
    low, high = -10.0, 10.0
    for _ in range(80):  # the logit at which weighted and plain mean agree
        middle = (low + high) / 2
        x[4:, 1] = middle
        each = cross_entropy(x, y, reduction="none")
        low, high = (middle, high) if each[4:].mean() > each[:4].mean() else (low, middle)
    assert cross_entropy(x, y, weight=weight).item() == pytest.approx(each.mean().item(), rel=1e-5)
    with pytest.raises(ValueError, match="neither the mean nor the sum"):
        reduction_of(lambda outputs, labels: cross_entropy(outputs, labels, weight=weight), Outputs(), x, y)
