"""One training step, in each of the ways that `private_step.py` compares.

Each way is built as way(network, x, y, noise multiplier) and gives a `Stepper`. Examples are clipped to norm 1, all
parameters together, and the noisy sum is divided by the batch size.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import torch
from torch.func import functional_call, grad, vmap

from _networks import mean_loss
from reticent.privacy import Plan
from reticent.randomness import Randomness
from reticent.training import PerExampleModel
from reticent.training.engine import products
from reticent.training.mechanism import PrivateSum

CLIP = 1.0
_RATE = 1e-3  # small: the parameters stay where they are while steps are timed
_SMALL = 1e-6  # as in Opacus


class Stepper(NamedTuple):
    """A training that can take a step.

    Attributes:
        network: holds the parameters.
        step: forward, loss, backward, clipping, noise, update; leaves the gradients that were used in `.grad`.
        clear: `optimizer.zero_grad`, which ends a step.
    """

    network: torch.nn.Module
    step: Callable[[], None]
    clear: Callable[[], None]


Way = Callable[[torch.nn.Module, torch.Tensor, torch.Tensor, float], Stepper]


def ordinary(network: torch.nn.Module, x: torch.Tensor, y: torch.Tensor, noise: float) -> Stepper:
    """Plain SGD on the mean loss."""
    optimizer = _sgd(network)

    def step() -> None:
        mean_loss(network(x), y).backward()
        optimizer.step()

    return Stepper(network, step, optimizer.zero_grad)


def reticent(network: torch.nn.Module, x: torch.Tensor, y: torch.Tensor, noise: float) -> Stepper:
    """What `make_private` does before optimizer.step(), without its loader; noise from the secure generator."""
    optimizer = _sgd(network)
    private = PerExampleModel(network)
    parameters = trainable(network)
    size = len(x)
    plan = Plan(
        noise_multiplier=noise, dataset_size=100 * size, batch_size=size, steps=1, l2_clip_norm=CLIP, delta=1e-6
    )
    total = PrivateSum(plan, parameters, Randomness.secure())

    def step() -> None:
        mean_loss(private(x), y).backward()
        total.add(private.take(), float(size))  # the mean over the batch, undone
        for name, gradient in total.finish().items():
            parameters[name].grad = gradient.to(parameters[name].dtype)
        optimizer.step()

    return Stepper(network, step, optimizer.zero_grad)


def by_torchs_products(network: torch.nn.Module, x: torch.Tensor, y: torch.Tensor, noise: float) -> Stepper:
    """Reticent with the products that an ordinary step takes: what is left is what the engine itself saves."""
    stepper = reticent(network, x, y, noise)

    def step() -> None:
        with products.of_torch():
            stepper.step()

    return stepper._replace(step=step)


def by_vmap(network: torch.nn.Module, x: torch.Tensor, y: torch.Tensor, noise: float) -> Stepper:
    """All per-example gradients by torch.func, then clipping and noise of torch."""
    optimizer = _sgd(network)
    parameters = trainable(network)
    per_example = per_example_gradients(network)

    def step() -> None:
        gradients = per_example(x, y)
        factors = (CLIP / (norms(gradients) + _SMALL)).clamp(max=1.0)
        for name, parameter in parameters.items():
            total = torch.tensordot(factors, gradients.pop(name), dims=1)
            parameter.grad = (total + noise * CLIP * torch.randn_like(total)) / len(x)
        optimizer.step()

    return Stepper(network, step, optimizer.zero_grad)


def per_example_gradients(network: torch.nn.Module) -> Callable[..., dict[str, torch.Tensor]]:
    """A function from inputs and targets to name -> (B, *shape)."""
    parameters = trainable(network)

    def one(values: dict[str, torch.Tensor], x: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
        return mean_loss(functional_call(network, values, (x[None],)), y[None])

    mapped = vmap(grad(one), in_dims=(None, 0, 0))
    return lambda x, y: mapped({name: parameter.detach() for name, parameter in parameters.items()}, x, y)


def norms(gradients: dict[str, torch.Tensor]) -> torch.Tensor:
    """(B,) norms over all parameters."""
    parts = [torch.linalg.vector_norm(gradient.flatten(1), dim=1) for gradient in gradients.values()]
    return torch.linalg.vector_norm(torch.stack(parts), dim=0)


def by_opacus(mode: str) -> Way:
    """Opacus as its users call it (PrivacyEngine.make_private), on fixed batches; noise from torch's generator."""

    def build(network: torch.nn.Module, x: torch.Tensor, y: torch.Tensor, noise: float) -> Stepper:
        from opacus import PrivacyEngine

        data = torch.utils.data.TensorDataset(x, y)
        made = PrivacyEngine(accountant="rdp").make_private(
            module=network,
            optimizer=_sgd(network),
            data_loader=torch.utils.data.DataLoader(data, batch_size=len(x)),
            criterion=torch.nn.CrossEntropyLoss(),
            noise_multiplier=noise,
            max_grad_norm=CLIP,
            poisson_sampling=False,
            grad_sample_mode=mode,
        )
        model, optimizer = made[0], made[1]
        loss = _two_passes(made[2]) if mode == "ghost" else mean_loss

        def step() -> None:
            loss(model(x), y).backward()
            optimizer.step()

        return Stepper(network, step, lambda: optimizer.zero_grad(set_to_none=True))

    return build


def _two_passes(criterion: Any) -> Any:
    """The loss that goes with ghost clipping: it needs the shape of outputs that have positions."""

    def loss(outputs: torch.Tensor, y: torch.Tensor) -> Any:
        shape = outputs.shape if outputs.ndim == 3 else None
        return criterion(outputs.flatten(0, -2), y.flatten(), shape=shape)

    return loss


WAYS: dict[str, tuple[Way, str]] = {
    "ordinary": (ordinary, "no privacy: SGD on the mean loss"),
    "reticent": (reticent, "PerExampleModel and PrivateSum, as in make_private; noise from the secure generator"),
    "reticent_torch": (by_torchs_products, "the same with torch's own products of matrices: nothing through oneDNN"),
    "vmap": (by_vmap, "torch.func.vmap(grad(loss)), clipping and noise of torch"),
    "opacus_hooks": (by_opacus("hooks"), 'Opacus grad_sample_mode="hooks" (its default); noise of torch'),
    "opacus_ghost": (by_opacus("ghost"), 'Opacus grad_sample_mode="ghost", two backward passes; noise of torch'),
    "opacus_functorch": (by_opacus("functorch"), 'Opacus grad_sample_mode="functorch"; noise of torch'),
    "opacus_ew": (by_opacus("ew"), 'Opacus grad_sample_mode="ew" (ExpandedWeights); noise of torch'),
}


def trainable(network: torch.nn.Module) -> dict[str, torch.nn.Parameter]:
    """Name to parameter."""
    return {name: parameter for name, parameter in network.named_parameters() if parameter.requires_grad}


def _sgd(network: torch.nn.Module) -> torch.optim.Optimizer:
    return torch.optim.SGD(trainable(network).values(), lr=_RATE)
