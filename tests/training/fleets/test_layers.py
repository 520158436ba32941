"""Layers batched by hand give what each network gives by itself, with all derivatives, or are refused."""

from __future__ import annotations

import copy

import pytest
import torch
from torch import nn

from reticent.training.engine import products
from reticent.training.fleets import layers
from reticent.training.fleets.layers import NoLayer, batched_by_hand

NETWORKS = {
    "linear": (lambda: nn.Linear(5, 40), (5,)),
    "narrow": (lambda: nn.Linear(5, 3), (5,)),
    "without bias": (lambda: nn.Sequential(nn.Linear(5, 40, bias=False), nn.Linear(40, 2, bias=False)), (5,)),
    "rectified": (
        lambda: nn.Sequential(nn.Linear(5, 40), nn.ReLU(), nn.Linear(40, 3), nn.ReLU(), nn.Linear(3, 33), nn.ReLU()),
        (5,),
    ),
    "rectified norms": (
        lambda: nn.Sequential(nn.Conv2d(2, 4, 3), nn.ReLU(), nn.ReLU(), nn.GroupNorm(2, 4), nn.ReLU()),
        (2, 9, 9),
    ),
    "linear on positions": (lambda: nn.Sequential(nn.Linear(5, 4), nn.Flatten(), nn.Linear(12, 2)), (3, 5)),
    "layer norm": (lambda: nn.LayerNorm(5), (5,)),
    "layer norm of two dimensions": (lambda: nn.LayerNorm((3, 5)), (2, 3, 5)),
    "layer norm without bias": (lambda: nn.LayerNorm(5, bias=False), (4, 5)),
    "layer norm without weight": (
        lambda: nn.Sequential(nn.Linear(5, 4), nn.LayerNorm(4, elementwise_affine=False)),
        (5,),
    ),
    "convolution": (lambda: nn.Conv2d(2, 4, 3), (2, 9, 9)),
    "strided, padded, dilated, grouped": (
        lambda: nn.Conv2d(2, 4, 3, stride=2, padding=1, dilation=2, groups=2, bias=False),
        (2, 9, 9),
    ),
    "same": (lambda: nn.Conv2d(2, 4, 3, padding="same"), (2, 9, 9)),
    "group norm": (lambda: nn.Sequential(nn.Conv2d(2, 4, 3), nn.GroupNorm(2, 4)), (2, 9, 9)),
    "group norm without weight": (
        lambda: nn.Sequential(nn.Conv2d(2, 4, 3), nn.GroupNorm(2, 4, affine=False)),
        (2, 9, 9),
    ),
    "cnn": (
        lambda: nn.Sequential(
            nn.Conv2d(2, 4, 3, padding=1),
            nn.ReLU(inplace=True),
            nn.MaxPool2d(2, ceil_mode=True),
            nn.Sequential(nn.Conv2d(4, 6, 3), nn.SiLU(), nn.AvgPool2d(2, stride=1)),
            nn.AdaptiveAvgPool2d((2, 1)),
            nn.Flatten(),
            nn.Dropout(0.0),
            nn.Linear(12, 3),
        ),
        (2, 9, 9),
    ),
    "pooling first": (lambda: nn.Sequential(nn.MaxPool2d(3), nn.Flatten(), nn.Linear(18, 2)), (2, 9, 9)),
    "linear on images": (lambda: nn.Sequential(nn.Conv2d(2, 4, 3), nn.Linear(7, 2), nn.Flatten()), (2, 9, 9)),
}
for kind in layers._ELEMENTWISE:
    NETWORKS[kind.__name__] = (lambda kind=kind: nn.Sequential(nn.Linear(5, 6), kind(), nn.Linear(6, 2)), (5,))


def stacked(models):
    names = dict(models[0].named_parameters())
    return {n: torch.stack([dict(m.named_parameters())[n].detach() for m in models]).requires_grad_() for n in names}


@pytest.mark.parametrize("name", NETWORKS)
def test_outputs_and_derivatives_are_those_of_each_network(name):
    build, shape = NETWORKS[name]
    torch.random.manual_seed(1)
    models = [build().double() for _ in range(3)]
    x = torch.randn(3, 4, *shape, dtype=torch.double, requires_grad=True)
    parameters = stacked(models)
    out = batched_by_hand(models[0])(parameters, x)
    weights = torch.randn_like(out)
    (out * weights).sum().backward()
    got_x, x.grad = x.grad, None
    for k, model in enumerate(models):
        own = model(x[k])
        torch.testing.assert_close(out[k], own, rtol=1e-10, atol=1e-12)
        (own * weights[k]).sum().backward()
        for n, parameter in model.named_parameters():
            torch.testing.assert_close(parameters[n].grad[k], parameter.grad, rtol=1e-9, atol=1e-11)
    torch.testing.assert_close(got_x, x.grad, rtol=1e-9, atol=1e-11)


def test_ties_in_pooling_go_where_torch_sends_them():
    """Flat images have ties everywhere; the derivative goes to the first of them."""
    model = nn.Sequential(nn.Conv2d(1, 2, 1), nn.MaxPool2d(2)).double()
    x = torch.ones(2, 3, 1, 4, 4, dtype=torch.double, requires_grad=True)
    weights = torch.randn(3, 2, 2, 2, dtype=torch.double)
    (batched_by_hand(model)(stacked([model, model]), x) * weights).sum().backward()
    one = torch.ones(3, 1, 4, 4, dtype=torch.double, requires_grad=True)
    (model(one) * weights).sum().backward()
    torch.testing.assert_close(x.grad[1], one.grad)


@pytest.mark.parametrize("rows", [4, 64])
def test_large_products_go_the_same_way_up_to_rounding(rows):
    """One by one through the library that is faster at them: 64 x 400 x 300 is large, 4 x 400 x 300 is not."""
    torch.random.manual_seed(2)
    models = [nn.Linear(400, 300) for _ in range(2)]
    x = torch.randn(2, rows, 400)
    assert layers.is_large(x, 300) == (rows == 64)
    parameters = stacked(models)
    out = batched_by_hand(models[0])(parameters, x)
    out.square().sum().backward()
    with products.of_torch():
        for k, model in enumerate(models):
            own = model(x[k])
            own.square().sum().backward()
            torch.testing.assert_close(out[k], own, rtol=1e-5, atol=1e-5)
            torch.testing.assert_close(parameters["weight"].grad[k], model.weight.grad, rtol=1e-4, atol=1e-3)


class Own(nn.Linear):
    """A subclass may do anything."""


class Custom(nn.Module):
    def forward(self, x):
        return x


@pytest.mark.parametrize(
    ("network", "text"),
    [
        (nn.Dropout(0.5), r"the network \(Dropout\)"),
        (nn.Sequential(nn.Linear(2, 2), nn.BatchNorm1d(2)), r"1 \(BatchNorm1d\)"),
        (nn.Sequential(nn.Sequential(Own(2, 2))), r"0\.0 \(Own\)"),
        (Custom(), r"Custom"),
        (nn.Conv2d(1, 1, 3, padding=1, padding_mode="reflect"), "Conv2d"),
        (nn.Flatten(0), "Flatten"),
        (nn.MaxPool2d(2, return_indices=True), "MaxPool2d"),
    ],
)
def test_what_is_not_known_is_named(network, text):
    with pytest.raises(NoLayer, match=text):
        batched_by_hand(network)


def test_hooks_and_replaced_forwards_are_refused():
    hooked = nn.Sequential(nn.Linear(2, 2))
    hooked[0].register_forward_hook(lambda *_: None)
    replaced = nn.Linear(2, 2)
    replaced.forward = lambda x: x
    for network in (hooked, replaced, nn.Sequential(copy.deepcopy(replaced))):
        with pytest.raises(NoLayer, match="hooks, or a forward of its own"):
            batched_by_hand(network)


def test_images_without_a_batch_are_refused():
    model = nn.Conv2d(1, 2, 3)
    with pytest.raises(NoLayer, match="images are expected"):
        batched_by_hand(model)(stacked([model]), torch.zeros(1, 4, 9, 9))


def test_a_module_that_stands_in_two_places_counts_twice():
    shared = nn.Hardtanh()
    network = nn.Sequential(nn.Linear(3, 4), shared, nn.Linear(4, 2), shared)
    stacked = {name: 50 * value.detach()[None] for name, value in network.named_parameters()}
    found = batched_by_hand(network)(stacked, torch.ones(1, 5, 3))
    with torch.no_grad():
        for value in network.parameters():
            value.mul_(50)
        expected = network(torch.ones(5, 3))
    assert expected.abs().max() == 1
    torch.testing.assert_close(found[0], expected)


def test_a_bias_that_two_layers_share_is_not_left_out():
    network = nn.Sequential(nn.Linear(3, 3), nn.Linear(3, 3))
    network[1].bias = network[0].bias
    with pytest.raises((NoLayer, KeyError)):
        batched_by_hand(network)({n: v[None] for n, v in network.named_parameters()}, torch.ones(1, 5, 3))


def test_the_widest_module_is_found():
    network = nn.Sequential(nn.Conv2d(1, 3, 3), nn.Flatten(), nn.Linear(12, 20), nn.Linear(20, 2))
    assert layers.widest(network, torch.zeros(5, 1, 4, 4)) == 20
    assert layers.widest(network[:1], torch.zeros(5, 1, 4, 4)) == 12
    assert not any(module._forward_hooks for module in network.modules())
