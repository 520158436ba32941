"""What is wrong in a configuration, in the words of its file.

Promise: the message names the file, the table and the key, says what was expected and what was found, and ends with
what to write. The first mistake is told; there may be more behind it.

Example:
    >>> from pydantic import BaseModel, Field, ValidationError
    >>> from reticent.audits.mistakes import told
    >>> class Training(BaseModel):
    ...     shadows: int = Field(ge=4)
    >>> class Whole(BaseModel):
    ...     training: Training
    >>> try:
    ...     Whole(training={"shadows": 2})
    ... except ValidationError as error:
    ...     print(told(error, "audit.toml", Whole))
    Expected shadows >= 4 in [training] of audit.toml, got shadows=2. Write a number of 4 or more.
"""

from __future__ import annotations

import difflib
import typing
from typing import Any

from pydantic import BaseModel, ValidationError

from reticent.errors import UsageError

__all__ = ["told"]

_HIDDEN = ("folder",)  # no key of a file
_GUIDE = "docs/auditing.md lists every key."
_KINDS = {  # of a type error: what is expected, and how it is written
    "string_type": ("a text", "Write it in quotes."),
    "int_type": ("a whole number", "Write it without quotes and without a fraction."),
    "float_type": ("a number", "Write it without quotes."),
    "bool_type": ("true or false", "Write {key} = true, without quotes."),
    "list_type": ("a list", 'Write it in brackets: {key} = ["...", "..."].'),
    "dict_type": ("a table", "Write it as [{key}] with keys below it, or in braces."),
    "model_type": ("a table", "Write it as [{key}], with keys below it."),
}
_LIMITS = {"greater_than": (">", "gt"), "greater_than_equal": (">=", "ge"), "less_than": ("<", "lt"),
           "less_than_equal": ("<=", "le")}  # fmt: skip
_SIDES = {">": "above {0}", ">=": "of {0} or more", "<": "below {0}", "<=": "of {0} or less"}


def told(error: ValidationError, file: str, model: type[BaseModel]) -> UsageError:
    """The first mistake as an error that says how to mend it.

    Args:
        error: what pydantic found.
        file: what to call the file.
        model: what the file was read as.
    """
    first = error.errors()[0]
    place = [str(part) for part in first["loc"]]
    table, key = _named(place, model)
    where = f"in {f'[{table}] of ' if table else ''}{file}"
    kind, context = first["type"], first.get("ctx", {})
    if kind == "extra_forbidden":
        keys = _keys(model, table)
        near = difflib.get_close_matches(key, keys, n=1)
        remedy = f"Did you mean {near[0]!r}?" if near else f"It knows {', '.join(keys)}."
        return UsageError(f"Expected the keys of {f'[{table}] in ' if table else ''}{file}, got {key!r}.", remedy)
    if kind == "value_error" and isinstance(context["error"], UsageError):
        cause = context["error"]
        return UsageError(f"In {f'[{key}] of ' if key else ''}{file}: {cause.what}", cause.remedy)
    if kind == "missing":
        what = f"the key {key!r}" if table else f"the table [{key}]"
        return UsageError(f"Expected {what} {where}, got none.", f"Add it; {_GUIDE}")
    parts = [f"[{one}]" if isinstance(one, int) else f".{one}" for one in first["loc"][2:]] if table else []
    several = len(_kinds(error)) > 1  # of a union: what follows the key names its parts
    named = key + ("" if several else "".join(parts))
    expected, remedy = _expected(error, key)
    what = expected.replace(key, named, 1)
    return UsageError(f"Expected {what} {where}, got {named}={first['input']!r}.", remedy)


def _expected(error: ValidationError, key: str) -> tuple[str, str]:
    """What a value should have been, and what to write."""
    first = error.errors()[0]
    kind, context = first["type"], first.get("ctx", {})
    if kind in _LIMITS:
        sign, name = _LIMITS[kind]
        limit = f"{context[name]:g}"
        return f"{key} {sign} {limit}", f"Write a number {_SIDES[sign].format(limit)}."
    if kind == "literal_error":
        return f"{key} to be {context['expected']}", "Write one of them."
    if kind == "string_pattern_mismatch":  # there is one
        return f"{key} as dask:ADDRESS or ray:ADDRESS", f'Write for instance {key} = "dask:tcp://host:8786".'
    known = list(dict.fromkeys(_KINDS[one] for one in _kinds(error) if one in _KINDS))
    if known:
        return f"{key} as {' or '.join(what for what, _ in known)}", known[0][1].format(key=key)
    return f"{key} to be right ({first['msg']})", f"Change {key}; {_GUIDE}"


def _kinds(error: ValidationError) -> list[str]:
    """What is wrong with the first key: of a union, one thing for each of its parts."""
    errors = error.errors()
    return [one["type"] for one in errors if one["loc"][:2] == errors[0]["loc"][:2]]


def _named(place: list[str], model: type[BaseModel]) -> tuple[str, str]:
    """Table ("" for the file itself) and key; what pydantic adds for parts of a union or of a list is left out."""
    if not place:
        return "", ""
    fields = _keys(model, place[0])
    if len(place) == 1 or not fields:
        return "", place[0]
    return place[0], place[1]


def _keys(model: type[BaseModel], table: str) -> list[str]:
    """The keys of a table, or those of the whole file."""
    if not table:
        return [name for name in model.model_fields if name not in _HIDDEN]
    if table not in model.model_fields:
        return []
    annotation: Any = model.model_fields[table].annotation
    for one in (annotation, *typing.get_args(annotation)):
        if isinstance(one, type) and issubclass(one, BaseModel):
            return list(one.model_fields)
    return []
