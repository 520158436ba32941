"""An audit in a file: what is audited, against what, and where the report goes.

Promise: the whole file is checked before anything is trained or asked; a key that does not exist is an error that names
the nearest one, and every path is relative to the file. Of what a configuration names, only `load` and `trainer` run
code, namely the Python file that they point to.

Example:
    >>> from reticent.audits.configuration import AuditConfig
    >>> AuditConfig.parse('''
    ... [data]
    ... set = "diabetes"
    ... [training]
    ... trainer = "mine.py:fit"
    ... shadows = 16
    ... ''').training.shadows
    16
    >>> AuditConfig.parse('''
    ... [data]
    ... sett = "diabetes"
    ... ''')
    Traceback (most recent call last):
    reticent.errors.UsageError: Expected the keys of [data] in the configuration, got 'sett'. Did you mean 'set'?
"""

from __future__ import annotations

import importlib
import json
import sys
import tomllib
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from reticent import _checks
from reticent.audits.mistakes import told
from reticent.errors import UsageError

__all__ = ["AuditConfig", "DataPart", "load_object"]

_ENDINGS = (".html", ".json")
_Share = Annotated[float, Field(gt=0, lt=1)]


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


class DataPart(_Part):
    """[data]: two files, or a packaged set that is split by coins."""

    members: str | None = None
    nonmembers: str | None = None
    set: str | None = None
    records: Annotated[int, Field(ge=40)] | None = None
    label: str = "label"
    owner: str | None = None
    groups: list[str] = []
    ignore: list[str] = []
    id: str | None = None
    classes: list[str] | int | None = None
    name: str | None = None
    coins: bool | None = None

    @model_validator(mode="after")
    def _one_source(self) -> Self:
        if (self.set is None) == (self.members is None) or (self.members is None) != (self.nonmembers is None):
            raise UsageError(
                f"Expected members and nonmembers, or set, and not both, got members={self.members!r}, "
                f"nonmembers={self.nonmembers!r} and set={self.set!r}.",
                "Name two files of records, or one packaged set (reticent data list).",
            )
        if self.set is not None and self.coins is False:
            raise UsageError(
                f"Expected no coins = false with a packaged set, which is split by coins, got set={self.set!r}.",
                "Leave coins out.",
            )
        return self


class ModelPart(_Part):
    """[model]: one of three kinds; without it, or with a name only, the trainer trains the model on the members.

    `headers` names the environment variable that holds each header's value: secrets do not belong into the file.
    """

    onnx: str | None = None
    load: str | None = None
    endpoint: str | None = None
    name: str = "the model"
    answers: Literal["logits", "probabilities", "labels"] | None = None
    queries_per_second: Annotated[float, Field(gt=0)] | None = None
    most_queries: Annotated[int, Field(ge=1)] | None = None
    request: Any = None
    response: str | None = None
    headers: dict[str, str] = {}
    snapshots: str | list[str] | None = None

    @property
    def given(self) -> bool:
        """Whether there is a model; else it is only a name for what the trainer makes."""
        return not (self.onnx is None and self.load is None and self.endpoint is None)

    @model_validator(mode="after")
    def _one_kind(self) -> Self:
        named = [name for name in ("onnx", "load", "endpoint") if getattr(self, name) is not None]
        if not named and self.model_fields_set <= {"name"}:
            return self
        if len(named) != 1:
            raise UsageError(
                f"Expected exactly one of onnx, load and endpoint, got {' and '.join(named) or 'none'}.",
                "Keep one; to audit what the trainer makes of the members, write no more than a name.",
            )
        if self.snapshots is not None and (self.load if isinstance(self.snapshots, str) else self.onnx) is None:
            raise UsageError(
                f"Expected snapshots with load (as file.py:name) or with onnx (as a list of files), got {named[0]} and "
                f"snapshots as {'a text' if isinstance(self.snapshots, str) else 'a list'}.",
                "Write them in the form of the model.",
            )
        asked = (self.queries_per_second, self.most_queries, self.request, self.response, self.headers or None)
        if self.endpoint is None and any(one is not None for one in asked):
            raise UsageError(
                "Expected queries_per_second, most_queries, request, response and headers with an endpoint only, got "
                f"{named[0]}={getattr(self, named[0])!r}.",
                "Leave them out, or name an endpoint.",
            )
        return self


class TrainingPart(_Part):
    """[training]: how the model was trained, to train shadow models."""

    trainer: str
    shadows: Annotated[int, Field(ge=4)] = 64
    jobs: Annotated[int, Field(ge=1)] | None = None
    executor: Annotated[str, Field(pattern="^(dask|ray):.+$")] | None = None
    store: str | None = None
    removal: bool = False


class AttackPart(_Part):
    """[attack]: what the attacker sees, and how it is measured."""

    exposure: str = "logits"
    method: str | None = None
    attacks: list[str] = []
    limit: Annotated[int, Field(ge=10)] | None = None
    confidence: _Share = 0.95
    seed: Annotated[int, Field(ge=0)] | None = None

    @model_validator(mode="after")
    def _known(self) -> Self:
        from reticent.audits.concluding import attack_names
        from reticent.audits.queried import chosen_methods
        from reticent.models import Exposure

        Exposure.of(self.exposure)
        chosen_methods(self.attacks)
        if self.method is not None:
            _checks.one_of(attack_names(), method=self.method)
        return self


class ClaimPart(_Part):
    """[claim]: what was promised about the training."""

    guarantee: str


class PolicyPart(_Part):
    """[policy]: upper limits; the audit fails if the lower end of a measured interval lies above one."""

    most_auc: _Share | None = None
    most_named: dict[str, _Share] = {}
    most_exposed: Annotated[int, Field(ge=0)] | None = None

    @model_validator(mode="after")
    def _rates(self) -> Self:
        for rate in self.most_named:
            if rate not in {"0.1", "0.01", "0.001"}:
                raise UsageError(
                    f"Expected most_named at the false-positive rates 0.1, 0.01 or 0.001, got {rate!r}.",
                    'Write for instance most_named = {"0.01" = 0.05}.',
                )
        return self


class OutputPart(_Part):
    """[output]: where the results go."""

    report: str | None = "audit.html"
    record: str | None = None

    @model_validator(mode="after")
    def _two_files(self) -> Self:
        for name, place in (("report", self.report), ("record", self.record)):
            if place is not None and Path(place).suffix.lower() not in _ENDINGS:
                raise UsageError(
                    f"Expected {name} as a path that ends in .html or .json, got {name}={place!r}.",
                    "Choose one of the two endings.",
                )
        if self.record is not None and self.report is not None and Path(self.record) == Path(self.report):
            raise UsageError(
                f"Expected report and record in two files, got {self.report!r} for both.", "Rename one of them."
            )
        return self


class AuditConfig(_Part):
    """All of it; see the parts. `folder` is where its paths begin."""

    data: DataPart
    model: ModelPart | None = None
    training: TrainingPart | None = None
    attack: AttackPart = AttackPart()
    claim: ClaimPart | None = None
    policy: PolicyPart = PolicyPart()
    output: OutputPart = OutputPart()
    folder: Path = Field(default=Path(), exclude=True)

    @model_validator(mode="after")
    def _something_to_audit(self) -> Self:
        if (self.model is None or not self.model.given) and self.training is None:
            raise UsageError(
                "Expected a [model], a [training], or both, got none.",
                "Name the model to be audited, or the trainer that makes it.",
            )
        if self.training is None and self.attack.method is not None:
            raise UsageError(
                "Expected a [training] with a method of scoring against shadow models, got "
                f"method={self.attack.method!r} in [attack] and no [training].",
                "Add the trainer, or leave method out.",
            )
        if self.model is not None and self.model.snapshots is not None and "trajectory" not in self.attack.attacks:
            raise UsageError(
                f'Expected snapshots with attacks = ["trajectory"] only, got attacks={list(self.attack.attacks)}.',
                "Ask for the trajectory attack, or leave snapshots out.",
            )
        return self

    @classmethod
    def read(cls, path: str | Path) -> AuditConfig:
        """The configuration in a file; `[tool.reticent.audit]` if it is a `pyproject.toml`.

        Raises:
            UsageError: no such file, not TOML, or something in it means nothing.
        """
        source = Path(path)
        try:
            text = source.read_text("utf-8")
        except (OSError, UnicodeDecodeError) as error:
            raise UsageError(
                f"Expected a configuration in TOML, but {str(path)!r} cannot be read.", "Check the path."
            ) from error
        inside = source.name == "pyproject.toml"
        return cls.parse(text, folder=source.absolute().parent, inside=inside, file=source.name)

    @classmethod
    def parse(
        cls, text: str, *, folder: Path | None = None, inside: bool = False, file: str = "the configuration"
    ) -> AuditConfig:
        """The configuration in a text.

        Args:
            text: TOML.
            folder: where its paths begin; the working directory by default.
            inside: whether it stands in the table `tool.reticent.audit`.
            file: what to call it where something in it is wrong.

        Raises:
            UsageError: not TOML, or something in it means nothing.
        """
        try:
            values = tomllib.loads(text)
        except tomllib.TOMLDecodeError as error:
            raise UsageError(
                f"Expected a configuration in TOML, but {file} is none: {error}.",
                "Texts stand in quotes, lists in brackets, and each table such as [data] begins once.",
            ) from error
        if inside:
            values = values.get("tool", {}).get("reticent", {}).get("audit", {})
        if "folder" in values:
            raise UsageError("Expected tables such as [data], got 'folder'.", "Paths begin where the file lies.")
        try:
            return cls(**values, folder=Path.cwd() if folder is None else folder)
        except ValidationError as error:
            raise told(error, file, AuditConfig) from error

    def path(self, name: str) -> Path:
        """A path of this configuration."""
        return self.folder / name

    def plain(self) -> dict[str, Any]:
        """The configuration as it belongs into a record."""
        values: dict[str, Any] = json.loads(self.model_dump_json(exclude_none=True))
        return values


def load_object(where: str, folder: Path) -> Any:
    """The object that `file.py:name` or `module:name` names; its file is run.

    The folder goes on the import path, so that processes which train shadow models find the same code.

    Raises:
        UsageError: no such file, or nothing of that name in it.
    """
    file, _, name = where.partition(":")
    if not file or not name:
        raise UsageError(f"Expected file.py:name, got {where!r}.", "Name a Python file and what to take from it.")
    place = folder
    module = file
    if file.endswith(".py"):
        path = folder / file
        if not path.is_file():
            raise UsageError(f"Expected a Python file at {file!r}, found none.", "Paths begin at the configuration.")
        place, module = path.parent, path.stem
    if str(place) not in sys.path:
        sys.path.insert(0, str(place))
    try:
        found = importlib.import_module(module)
    except ModuleNotFoundError as error:
        raise UsageError(
            f"Expected to import {module!r} for {where!r}, but: {error}.", "Check the path and what it imports."
        ) from error
    origin = Path(str(getattr(found, "__file__", "")))
    if file.endswith(".py") and origin.resolve() != (place / f"{module}.py").resolve():
        raise UsageError(
            f"Expected {file!r} under a name of its own, but a module {module!r} is loaded already.", "Rename the file."
        )
    if not hasattr(found, name):
        raise UsageError(f"Expected {name!r} in {file!r}, but it is not there.", "Check the name behind the colon.")
    return getattr(found, name)
