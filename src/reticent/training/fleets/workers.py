"""Where shares of a fleet are trained: local processes, somebody's `concurrent.futures.Executor`, dask or ray.

Promise: a share whose worker died is trained again, a few times, and then a `PeerError` says so; an exception of the
trainer comes through as it is or, where it cannot be rebuilt here, as a `PeerError` with its name, text and trace.
Local processes have one thread each. With "ray:local" everything stays on 127.0.0.1, without dashboard; usage
statistics are switched off before ray is loaded.

Trainer, pool and answers cross the border of processes with (cloud)pickle, as in every such library: give shares only
to workers that you would run code on, and that may see the records. TLS and tokens are those of dask and ray.

Example:
    >>> from concurrent.futures import ProcessPoolExecutor
    >>> from reticent.training.fleets.workers import workers_at
    >>> workers_at(None, jobs=2)
    2 local processes
    >>> with ProcessPoolExecutor(3) as executor:
    ...     workers_at(executor, jobs=None)
    3 workers of a ProcessPoolExecutor
    >>> workers_at("slurm:here", jobs=None)
    Traceback (most recent call last):
    reticent.errors.UsageError: Expected an Executor, or "dask:ADDRESS", "ray:ADDRESS" or "ray:local", got 'slurm:...
"""

from __future__ import annotations

import abc
import os
import shutil
from collections.abc import Callable
from concurrent.futures import BrokenExecutor, CancelledError, Executor, Future
from typing import Any

from reticent import _checks
from reticent.data import Records
from reticent.errors import MissingExtra, UsageError
from reticent.training.fleets.learners import Trainer
from reticent.training.fleets.working import Packed, Spooled

__all__ = ["RayExecutor", "Workers", "workers_at"]

_THREADS = (
    "OMP_NUM_THREADS",
    "MKL_NUM_THREADS",
    "OPENBLAS_NUM_THREADS",
    "NUMEXPR_NUM_THREADS",
    "VECLIB_MAXIMUM_THREADS",
)
_IDLE_SECONDS = 60


class Workers(abc.ABC):
    """Workers that take shares.

    Attributes:
        count: how many there are, as far as is known.
        renewable: whether dead ones can be replaced from here.
    """

    count: int
    renewable = False
    _executor: Executor | None = None

    @abc.abstractmethod
    def start(self, trainer: Trainer, pool: Records) -> Any:
        """Bring trainer and pool to the workers; returns what stands for them in `submit`."""

    def submit(self, task: Callable[..., Any], *arguments: Any) -> Future[Any]:
        """Hand out a task."""
        if self._executor is None:
            raise UsageError("Expected workers that were started, got others.", "Call start first.")
        return self._executor.submit(task, *arguments)

    @abc.abstractmethod
    def renew(self) -> Any:
        """Take fresh workers in the place of dead ones; returns what stands for trainer and pool from now on."""

    def close(self) -> None:
        """Let go of what `start` made."""
        return

    def is_loss(self, error: BaseException) -> bool:
        """Whether a worker died, rather than the trainer failing."""
        return isinstance(error, BrokenExecutor | CancelledError)

    def cause(self, error: BaseException) -> BaseException:
        """What the trainer raised."""
        return error


def workers_at(executor: Executor | str | None, jobs: int | None) -> Workers:
    """The workers that are meant.

    Args:
        executor: None for local processes, an Executor, or an address.
        jobs: how many local processes (all cores by default), or into how many equal parts the work falls elsewhere.

    Raises:
        UsageError: neither.
        MissingExtra: dask or ray is not installed.
    """
    if jobs is not None:
        _checks.at_least(1, jobs=jobs)
    if executor is None:
        return _Local(jobs or os.cpu_count() or 1)
    if isinstance(executor, Executor):
        return _Given(executor, jobs)
    kind, _, address = executor.partition(":") if isinstance(executor, str) else ("", "", "")
    if kind == "dask" and address:
        return _Dask(address, jobs)
    if kind == "ray" and address:
        return _Ray(address, jobs)
    raise UsageError(
        f'Expected an Executor, or "dask:ADDRESS", "ray:ADDRESS" or "ray:local", got {executor!r}.',
        'Pass for instance "dask:tcp://127.0.0.1:8786".',
    )


class _Local(Workers):
    renewable = True

    def __init__(self, jobs: int) -> None:
        self.count = jobs
        self._cargo: Spooled | None = None

    def __repr__(self) -> str:
        return f"{self.count} local processes"

    def start(self, trainer: Trainer, pool: Records) -> Any:
        self._cargo = Spooled.of(trainer, pool)
        return self.renew()

    def renew(self) -> Any:
        try:
            from loky import get_reusable_executor
        except ImportError as error:
            raise MissingExtra("loky", "lab", "Training a fleet in several processes") from error
        one_thread = dict.fromkeys(_THREADS, "1")
        self._executor = get_reusable_executor(max_workers=self.count, timeout=_IDLE_SECONDS, env=one_thread)
        return self._cargo

    def close(self) -> None:
        if self._cargo is not None:
            shutil.rmtree(self._cargo.folder, ignore_errors=True)


class _Given(Workers):
    def __init__(self, executor: Executor, jobs: int | None) -> None:
        self._executor = executor
        known = getattr(executor, "_max_workers", None)
        self.count = jobs or (known if isinstance(known, int) else os.cpu_count()) or 1

    def __repr__(self) -> str:
        return f"{self.count} workers of a {type(self._executor).__name__}"

    def start(self, trainer: Trainer, pool: Records) -> Any:
        self._cargo = Packed.of(trainer, pool)
        return self.renew()

    def renew(self) -> Any:
        return self._cargo


class _Dask(Workers):
    renewable = True

    def __init__(self, address: str, jobs: int | None) -> None:
        try:
            from distributed import Client
            from distributed.scheduler import KilledWorker
        except ImportError as error:
            raise MissingExtra("distributed", "dask", "Training a fleet on dask workers") from error
        self._lost = KilledWorker
        try:
            self._client = Client(address, timeout="10s", set_as_default=False)
        except OSError as error:
            raise UsageError(
                f"Expected a dask scheduler at {address}, but: {_first(error)}.", "Check that it runs."
            ) from error
        self.count = jobs or max(1, sum(self._client.nthreads().values()))

    def __repr__(self) -> str:
        return f"{self.count} dask workers"

    def start(self, trainer: Trainer, pool: Records) -> Any:
        self._executor = self._client.get_executor(pure=False)
        self._cargo = Packed.of(trainer, pool)
        return self.renew()

    def renew(self) -> Any:
        # To all of them: what lies with one worker is gone when it dies. Should all die, it is sent again.
        return self._client.scatter(self._cargo, hash=False, broadcast=True)

    def is_loss(self, error: BaseException) -> bool:
        return isinstance(error, self._lost) or super().is_loss(error)

    def close(self) -> None:
        self._client.close()


class RayExecutor(Executor):
    """ray behind the interface of `concurrent.futures`.

    Args:
        retries: how often ray itself trains a share again whose worker died.
    """

    def __init__(self, *, retries: int = 3) -> None:
        self._ray = _ray()
        self._retries = retries

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        """Hand out a call; arguments that are ray's references are resolved where it runs."""
        task = self._ray.remote(fn).options(max_retries=self._retries, num_cpus=1)
        future: Future[Any] = task.remote(*args, **kwargs).future()
        return future


class _Ray(Workers):
    renewable = True

    def __init__(self, address: str, jobs: int | None) -> None:
        ray = self._module = _ray()
        self._own = not ray.is_initialized()
        if self._own:
            quiet: dict[str, Any] = {"include_dashboard": False, "log_to_driver": False, "logging_level": "error"}
            if address == "local":
                ray.init(address="local", num_cpus=jobs or os.cpu_count(), _node_ip_address="127.0.0.1", **quiet)
            else:
                try:
                    ray.init(address=address, log_to_driver=False, logging_level="error")
                except (ConnectionError, RuntimeError, ValueError) as error:
                    raise UsageError(
                        f"Expected a ray cluster at {address}, but: {_first(error)}.", "Check that it runs."
                    ) from error
        self.count = jobs or max(1, int(ray.cluster_resources().get("CPU", 1)))

    def __repr__(self) -> str:
        return f"{self.count} ray workers"

    def start(self, trainer: Trainer, pool: Records) -> Any:
        self._executor = RayExecutor()
        self._cargo = Packed.of(trainer, pool)
        return self.renew()

    def renew(self) -> Any:
        return self._module.put(self._cargo)

    def is_loss(self, error: BaseException) -> bool:
        lost = (self._module.exceptions.WorkerCrashedError, self._module.exceptions.NodeDiedError)
        return isinstance(error, lost) or super().is_loss(error)

    def cause(self, error: BaseException) -> BaseException:
        inner = getattr(error, "cause", None)
        return inner if isinstance(error, self._module.exceptions.RayTaskError) and inner is not None else error

    def close(self) -> None:
        if self._own:
            self._module.shutdown()


def _ray() -> Any:
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    os.environ.setdefault("RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO", "0")
    try:
        import ray
    except ImportError as error:
        raise MissingExtra("ray", "ray", "Training a fleet on ray workers") from error
    return ray


def _first(error: BaseException) -> str:
    return (str(error).strip() or type(error).__name__).splitlines()[0].rstrip(".")
