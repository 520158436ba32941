"""A DistributedDataParallel script, made private: the same lines, one network trained by all processes.

Run: torchrun --nproc-per-node 2 examples/private_training_on_several_processes.py [--shard]

With `--shard`, parameters, gradients and the optimizer's memory are sharded (FSDP2). Started by itself, without
torchrun, it is an ordinary private training; the promise is the same for any number of processes.

    >>> accuracy, guarantee = main(epochs=3)
    >>> guarantee.epsilon(1e-3) <= 3.0
    True
"""

from __future__ import annotations

import argparse
import os

import torch
import torch.distributed as dist
from torch.nn.functional import cross_entropy
from torch.utils.data import DataLoader, DistributedSampler, TensorDataset

import reticent as rt
from reticent.audits import split
from reticent.data import load


def main(epochs: int = 20, *, shard: bool = False) -> tuple[float, rt.Guarantee]:
    """Accuracy on unseen patients, and what was promised to the others."""
    several = "RANK" in os.environ
    if several:
        dist.init_process_group("nccl" if torch.cuda.is_available() else "gloo")
        if torch.cuda.is_available():
            torch.cuda.set_device(int(os.environ["LOCAL_RANK"]))
    device = torch.device("cuda", torch.cuda.current_device()) if torch.cuda.is_available() else torch.device("cpu")
    # Every process needs the same records, so the split repeats; noise and batches are still secure.
    members, others = split(load("diabetes"), rt.Randomness.simulated(0))
    data = TensorDataset(torch.from_numpy(members.features), torch.from_numpy(members.labels))
    sampler = DistributedSampler(data) if several else None
    size = dist.get_world_size() if several else 1
    loader = DataLoader(data, batch_size=64 // size, shuffle=sampler is None, sampler=sampler)

    model = torch.nn.Sequential(torch.nn.Linear(10, 64), torch.nn.ReLU(), torch.nn.Linear(64, 2)).to(device)
    if several and shard:
        from torch.distributed.fsdp import fully_shard

        fully_shard(model)
    elif several:
        model = torch.nn.parallel.DistributedDataParallel(model)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.5)

    private = rt.make_private(
        model,
        optimizer,
        loader,
        loss=cross_entropy,
        target_epsilon=3.0,
        target_delta=1e-3,
        epochs=epochs,
        unit=members.unit,
        public_facts=members.public_facts,
    )
    for _ in range(epochs):
        for x, y in private.loader:
            optimizer.zero_grad()
            cross_entropy(private.model(x.to(device)), y.to(device)).backward()
            optimizer.step()

    private.model.eval()
    with torch.no_grad():
        outputs = private.model(torch.from_numpy(others.features).to(device))
    right = outputs.argmax(dim=1).cpu() == torch.from_numpy(others.labels)
    if several:
        dist.destroy_process_group()
    return float(right.float().mean()), private.guarantee


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--epochs", type=int, default=20)
    parser.add_argument("--shard", action="store_true", help="shard the network over the processes")
    asked = parser.parse_args()
    accuracy, guarantee = main(asked.epochs, shard=asked.shard)
    if os.environ.get("RANK", "0") == "0":
        print(f"accuracy on unseen patients: {accuracy:.2f}\n")
        print(guarantee.text(1e-3))
