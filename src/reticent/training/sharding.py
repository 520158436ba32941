"""Networks whose parameters are sharded over processes: FSDP2 (`torch.distributed.fsdp.fully_shard`).

Promise: from a private forward pass until its gradients have been taken, a sharded network holds its whole parameters
and runs without FSDP's hooks, so the gradient engine sees the network that it would see in one process; norms are of
the whole network. Before and after, every process holds its shards, and the optimizer never sees anything else.

What it costs: the parameters of the whole network are in memory during a private forward and backward pass (in the type
of `mp_policy`, if there is one). Sums of gradients are made one large parameter at a time and kept as shards, like the
optimizer's state. Resharding between layers is not possible here: processes whose examples take other paths through a
network would wait for different layers.

Covered: `fully_shard` on modules of a network, over all processes, along any dimension; mixed precision policies;
parameters that are left out of it.
Not covered, and refused by name: tensor parallelism, meshes of several dimensions (hybrid sharding), FSDP1.

Example:
    >>> import torch
    >>> from reticent.training.sharding import Sharding
    >>> Sharding(torch.nn.Linear(2, 1)).active
    False
"""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Callable, Iterator
from typing import Any

import torch
import torch.distributed as dist
from torch.utils._pytree import tree_map

from reticent.errors import ModelError, UsageError
from reticent.training.ranks import Ranks

__all__ = ["Sharding", "from_local", "is_sharded", "is_spread", "local", "plain_network", "sharded_like", "whole"]

_HOOKS = ("_forward_pre_hooks", "_forward_hooks")
_FSDP = "torch.distributed.fsdp"
_PREPARE = "Build it with torch.distributed.fsdp.fully_shard over all processes, or give the plain network."


def plain_network(model: torch.nn.Module, ranks: Ranks) -> torch.nn.Module:
    """The network to train, without `DistributedDataParallel` around it; what cannot be trained is refused.

    Its averaging of gradients is replaced, hooks for communication included: it would add up what is not clipped.
    """
    fsdp = _loaded_fsdp()
    old = () if fsdp is None else (fsdp.FullyShardedDataParallel,)
    for name, part in model.named_modules():
        inner = name != "" and isinstance(part, torch.nn.parallel.DistributedDataParallel)
        if isinstance(part, old) or inner:
            raise ModelError(
                f"Expected a plain network, or one sharded by fully_shard, but {name or 'the network'} is a "
                f"{type(part).__name__}.",
                _PREPARE,
            )
    if isinstance(model, torch.nn.parallel.DistributedDataParallel):
        size = dist.get_world_size(model.process_group)
        if size != ranks.size:
            raise UsageError(
                f"Expected a network of all {ranks.size} processes that train, got one of {size}.",
                "Wrap it without a process group of its own, or pass the plain network.",
            )
        model = model.module
    _refuse_other_layouts(model, ranks)
    return model


def _refuse_other_layouts(model: torch.nn.Module, ranks: Ranks) -> None:
    if not any(map(is_sharded, model.parameters())):
        return
    from torch.distributed.tensor import Shard

    managed = {id(parameter) for part in _fsdp_modules(model) for parameter in part.parameters()}
    for name, parameter in model.named_parameters():
        if not is_sharded(parameter):
            continue
        layout: Any = parameter
        mesh, placements = layout.device_mesh, layout.placements
        # The exact type: what tensor parallelism leaves behind is a kind of Shard, too.
        plainly = len(placements) == 1 and type(placements[0]) is Shard and id(parameter) in managed
        if not plainly or mesh.size() != ranks.size or mesh.get_local_rank() != ranks.rank:
            raise ModelError(
                f"Expected parameters that fully_shard has spread over all {ranks.size} processes, but {name} lies as "
                f"{placements} on a mesh of shape {tuple(mesh.shape)}.",
                _PREPARE,
            )


class Sharding:
    """When a network holds whole parameters, and when shards; of a network that is not sharded, nothing.

    Args:
        module: the network; `fully_shard` has been called on it or on parts of it.
    """

    def __init__(self, module: torch.nn.Module) -> None:
        self._module = module
        self._parts = _fsdp_modules(module)
        self._holders = 0
        self._opened = False
        self._without: list[tuple[Any, int, Any]] = []
        self._casts: list[Any] = []
        self.close()  # an evaluation may have left whole parameters behind

    @property
    def active(self) -> bool:
        """Whether anything is sharded."""
        return bool(self._parts)

    @contextlib.contextmanager
    def held(self) -> Iterator[None]:
        """A block with whole parameters, whatever happens inside; every process has to enter it."""
        self.open()
        self._holders += 1
        try:
            yield
        finally:
            self._holders -= 1
            self.close()

    def open(self) -> None:
        """Hold whole parameters and run without FSDP's hooks; every process has to call it."""
        if not self._parts or self._opened:
            return
        self._opened = True
        try:
            self._hold_whole()
        except Exception:
            self.close()
            raise

    def _hold_whole(self) -> None:
        before = {name: parameter.dtype for name, parameter in self._module.named_parameters()}
        for part in self._parts:
            part.unshard()
        for name, parameter in self._module.named_parameters():
            if is_sharded(parameter):  # some other wrapper's
                raise ModelError(f"Expected whole parameters to compute with, but {name} is still sharded.", _PREPARE)
        casting = any(p.dtype != before[name] for name, p in self._module.named_parameters())
        for part in self._parts:
            for place in _HOOKS:
                hooks = getattr(part, place)
                found = [key for key, hook in hooks.items() if str(getattr(hook, "__module__", "")).startswith(_FSDP)]
                if not found:
                    raise ModelError(
                        f"Expected the hooks of fully_shard on {type(part).__name__}, got none that could be told.",
                        "This release of torch keeps them elsewhere; use another one.",
                    )
                for key in found:
                    self._without.append((hooks, key, hooks[key]))
                    hooks[key] = _nothing  # in its place, so that the others keep their order
            self._cast_as_asked(part, needed=casting)

    def close(self) -> None:
        """Back to shards; local, and nothing where a block `held` is still open."""
        if self._holders:
            return
        for handle in self._casts:
            handle.remove()
        for hooks, key, hook in self._without:
            hooks[key] = hook
        self._casts, self._without, self._opened = [], [], False
        for part in self._parts:
            part.reshard()

    def _cast_as_asked(self, part: Any, *, needed: bool) -> None:
        """What FSDP's hooks do to inputs and outputs for a mixed precision policy."""
        policy = getattr(part._get_fsdp_state(), "_mp_policy", None)
        if policy is None:
            if needed:
                raise ModelError(
                    "Expected a mixed precision policy that can be read, got one that this torch hides.",
                    "Leave mp_policy out, and run the loop under torch.autocast.",
                )
            return
        inputs, outputs = policy.param_dtype if policy.cast_forward_inputs else None, policy.output_dtype
        if inputs is not None:
            change = _cast_to(inputs)
            self._casts.append(
                part.register_forward_pre_hook(
                    lambda _, args, named: (tree_map(change, args), tree_map(change, named)),
                    prepend=True,
                    with_kwargs=True,
                )
            )
        if outputs is not None:
            give = _cast_to(outputs)
            self._casts.append(part.register_forward_hook(lambda _, __, output: tree_map(give, output)))


def is_spread(module: torch.nn.Module) -> bool:
    """Whether `fully_shard` was called on a network, or on a part of it."""
    return bool(_fsdp_modules(module))


def is_sharded(value: Any) -> bool:
    """Whether a tensor is a process's part of a larger one."""
    return hasattr(value, "device_mesh") and hasattr(value, "placements")


def local(value: torch.Tensor) -> torch.Tensor:
    """What this process holds of a tensor."""
    own: Any = value
    return own.to_local() if is_sharded(value) else value


def whole(value: Any) -> Any:
    """A tensor with all its parts; every process has to ask for it, in the same order."""
    return value.full_tensor() if is_sharded(value) else value


def sharded_like(value: torch.Tensor, parameter: torch.Tensor) -> torch.Tensor:
    """A whole tensor of a parameter's shape, as this process's part of it; the tensor itself if nothing is sharded."""
    if not is_sharded(parameter) or is_sharded(value):
        return value
    layout: Any = parameter
    ((dimension, rank),) = [(p.dim, layout.device_mesh.get_local_rank()) for p in layout.placements]
    parts = value.chunk(layout.device_mesh.size(), dimension)
    own = parts[rank] if rank < len(parts) else value.narrow(dimension, 0, 0)
    return from_local(own.to(parameter.device).contiguous(), parameter)


def from_local(own: torch.Tensor, parameter: torch.Tensor) -> torch.Tensor:
    """This process's part, as a tensor that knows of the others."""
    from torch.distributed.tensor import DTensor

    like: Any = parameter
    return DTensor.from_local(
        own, like.device_mesh, like.placements, run_check=False, shape=like.shape, stride=like.stride()
    )


def _fsdp_modules(module: torch.nn.Module) -> list[Any]:
    fsdp = _loaded_fsdp()
    return [] if fsdp is None else [part for part in module.modules() if isinstance(part, fsdp.FSDPModule)]


def _loaded_fsdp() -> Any:
    """torch's module, if anybody has loaded it: nothing is sharded otherwise, and loading it takes a while."""
    return sys.modules.get("torch.distributed.fsdp")


def _nothing(*_: Any, **__: Any) -> None:
    """A hook that does nothing."""


def _cast_to(dtype: torch.dtype) -> Callable[[Any], Any]:
    def change(value: Any) -> Any:
        return value.to(dtype) if isinstance(value, torch.Tensor) and value.is_floating_point() else value

    return change
