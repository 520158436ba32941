"""Per-example gradients and clipping, one example and one number at a time, with plain autograd."""

from __future__ import annotations

import math

import torch


def one_by_one(model, inputs, term):
    """name to (B, *shape): feed one example at a time, take the gradient of its own term.

    `term(outputs, i)` gives the term of example i from the outputs for a batch that holds only it. Inputs that are not
    tensors go through as they are.
    """
    parameters = {name: p for name, p in model.named_parameters() if p.requires_grad}
    size = next(len(value) for value in inputs if isinstance(value, torch.Tensor))
    rows = {name: [] for name in parameters}
    for i in range(size):
        own = tuple(value[i : i + 1] if isinstance(value, torch.Tensor) else value for value in inputs)
        found = torch.autograd.grad(term(model(*own), i), list(parameters.values()), allow_unused=True)
        for (name, parameter), gradient in zip(parameters.items(), found, strict=True):
            rows[name].append(torch.zeros_like(parameter) if gradient is None else gradient)
    return {name: torch.stack(parts) for name, parts in rows.items()}


def clipped_sum(gradients, l2_clip_norm):
    """The sum of clipped gradients in float64, and how many examples were left out because they were not finite."""
    size = len(next(iter(gradients.values())))
    totals = {name: torch.zeros(g.shape[1:], dtype=torch.float64) for name, g in gradients.items()}
    ignored = 0
    for i in range(size):
        own = {name: g[i].double() for name, g in gradients.items()}
        norm = math.sqrt(sum(float((g**2).sum()) for g in own.values()))
        if not math.isfinite(norm):
            ignored += 1
            continue
        scale = 1.0 if norm <= l2_clip_norm else l2_clip_norm / norm
        for name, gradient in own.items():
            totals[name] += scale * gradient
    return totals, ignored


def private_sgd(model, loss, x, y, batches, *, rate, l2_clip_norm, expected):
    """DP-SGD without its noise, by hand and in place: for each batch the clipped sum over the expected batch size."""
    for rows in batches:
        if len(rows) == 0:
            continue
        batch = torch.as_tensor(rows)
        labels = y[batch]
        found = one_by_one(model, (x[batch],), lambda out, i, labels=labels: loss(out, labels[i : i + 1]))
        totals, _ = clipped_sum(found, l2_clip_norm)
        with torch.no_grad():
            for name, parameter in model.named_parameters():
                parameter.sub_(rate * (totals[name] / expected).to(parameter.dtype))
    return model
