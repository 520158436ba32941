"""Every error that reticent raises on purpose, in one tree.

Promise: each message is plain text that names the value, the rule it broke and the remedy; nothing was half-written
when it is raised. The command line turns an error into its `exit_code`.

    ReticentError                     never raised itself; catch it to catch all of them
    ├── UsageError      (exit 2)      an argument, or a combination of arguments, that cannot mean anything
    │   ├── MissingExtra              an optional dependency that this call needs is not installed
    │   └── ModelError                a network that cannot be trained privately or audited as it is
    ├── DataError       (exit 2)      records that cannot be used: shape, NaN, labels, too few, one class
    ├── FetchError      (exit 2)      a packaged data set could not be brought here: offline, disk full, package gone
    ├── EndpointError   (exit 2)      a model behind an address did not answer, or not as agreed
    ├── PeerError       (exit 2)      another process of the same training failed, is gone, or does something else
    ├── NotEnoughEvidence (exit 3)    the question cannot be answered at the asked precision with so few records
    ├── AccessDenied    (exit 4)      the data may not be used so: for this purpose, on this day, from this file
    ├── IntegrityError  (exit 5)      bytes that are not the bytes they claim to be: a hash, a record's id
    └── BudgetExhausted (exit 6)      one step more would spend more privacy than was promised

Exit code 0 is success; 1 says that a gate failed (`reticent audit --selftest`), after everything was done and printed;
70 that reticent itself is wrong: whatever is not raised on purpose.

Example:
    >>> from reticent.errors import ReticentError, UsageError
    >>> try:
    ...     raise UsageError("Expected 0 < delta < 1, got delta=3.", "Did you swap epsilon and delta?")
    ... except ReticentError as error:
    ...     print(error, error.exit_code)
    Expected 0 < delta < 1, got delta=3. Did you swap epsilon and delta? 2
"""

from __future__ import annotations

from typing import ClassVar

__all__ = [
    "AccessDenied",
    "BudgetExhausted",
    "DataError",
    "DataWarning",
    "EndpointError",
    "FetchError",
    "IntegrityError",
    "MissingExtra",
    "ModelError",
    "NotEnoughEvidence",
    "PeerError",
    "ReticentError",
    "UsageError",
]


class ReticentError(Exception):
    """What went wrong (`what`: name, value, rule) and how to mend it (`remedy`)."""

    exit_code: ClassVar[int] = 2

    def __init__(self, what: str, remedy: str) -> None:
        super().__init__(what, remedy)
        self.what = what
        self.remedy = remedy

    def __str__(self) -> str:
        return f"{self.what} {self.remedy}".strip()


class UsageError(ReticentError, ValueError):
    """An argument, or a combination of arguments, that cannot mean anything."""


class MissingExtra(UsageError, ImportError):
    """An optional dependency is missing; the remedy is the command that installs it."""

    def __init__(self, package: str, extra: str, purpose: str) -> None:
        super().__init__(
            f"{purpose} needs the package {package}, which is not installed.",
            f"Install it with: pip install 'reticent[{extra}]'",
        )
        self.package = package
        self.extra = extra
        self.args = (package, extra, purpose)  # what pickling between processes calls the constructor with


class ModelError(UsageError):
    """A network that cannot be trained privately, or audited, as it is."""


class DataError(ReticentError, ValueError):
    """Records that cannot be used as they are."""


class DataWarning(UserWarning):
    """Data was read, nothing of it is lost, and yet it may not be what was meant."""


class FetchError(ReticentError, OSError):
    """A packaged data set could not be brought here; nothing was left behind."""


class EndpointError(ReticentError, OSError):
    """A model behind an address did not answer, or not as agreed; what it answered before is kept."""


class PeerError(ReticentError, RuntimeError):
    """Another process of the same training failed, is gone, or does something else; its own output says why."""


class NotEnoughEvidence(ReticentError):
    """The question cannot be answered at the asked precision with so few records."""

    exit_code = 3


class AccessDenied(ReticentError, PermissionError):
    """The data may not be used so: for this purpose, on this day, or not this file at all."""

    exit_code = 4


class IntegrityError(ReticentError):
    """Bytes that are not the bytes they claim to be."""

    exit_code = 5


class BudgetExhausted(ReticentError):
    """One step more would spend more privacy than was promised."""

    exit_code = 6
