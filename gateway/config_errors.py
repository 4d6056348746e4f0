"""What is wrong with a configuration, in words: file, key and reason, one line each.

A value is shown so that it can be found, but never one that may be a password.
"""

import difflib
from pathlib import Path
from typing import Any, Final, get_args

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from gateway.escaping import printable, quoted

Location = tuple[str | int, ...]

SHOWN_LIMIT_CHARS: Final = 60
NEVER_SHOWN: Final = frozenset({"password_hash"})
MISTAKEN_KEYS: Final = {"password": "no password is kept here: use password_hash, from `dragoman hash-password`"}


class Problem:
    """One thing that is wrong: where (empty: the file as a whole), and why."""

    def __init__(self, location: Location, reason: str) -> None:
        self.location = location
        self.reason = reason


class ConfigError(Exception):
    """A configuration that cannot be used; its text has one line for each problem."""

    def __init__(self, path: Path, problems: list[Problem]) -> None:
        self.path = path
        self.problems = problems
        super().__init__("\n".join(self._line(problem) for problem in problems))

    def _line(self, problem: Problem) -> str:
        parts = [str(self.path), dotted(problem.location), problem.reason]
        return printable(": ".join(part for part in parts if part))


def dotted(location: Location) -> str:
    """Return the path of a key as people write it: `listener[0].address`."""
    text = ""
    for part in location:
        if isinstance(part, int):
            text += f"[{part}]"
        else:
            text += ("." if text else "") + (part if _bare(part) else quoted(part))
    return text


def _bare(key: str) -> bool:
    return bool(key) and key.isascii() and key.replace("_", "").replace("-", "").isalnum()


def problems_of(error: ValidationError, model: type[BaseModel]) -> list[Problem]:
    """Return what `error` says about a file that was checked by `model`."""
    return [Problem(details["loc"], _reason(details, model)) for details in error.errors()]


def _reason(details: ErrorDetails, model: type[BaseModel]) -> str:
    location, value, context = details["loc"], details["input"], details.get("ctx", {})
    instead = "" if NEVER_SHOWN.intersection(location) else f", not {shown(value)}"
    match details["type"]:
        case "missing":
            return "is missing"
        case "extra_forbidden":
            return f"unknown key; {_advice(str(location[-1]), _known_keys(model, location[:-1]))}"
        case "value_error":
            return str(context["error"])
        case "literal_error":
            return f"must be {context['expected']}{instead}"
        case "bool_type":
            return f"must be true or false{instead}"
        case "int_type":
            return f"must be an integer{instead}"
        case "string_type" | "is_instance_of":
            return f"must be text in quotes{instead}"
        case "model_type":
            return f"must be a table{instead}"
        case "list_type" if isinstance(value, dict):
            return f"is a list of tables: write [[{'.'.join(str(p) for p in location if isinstance(p, str))}]]"
        case "list_type":
            return f"must be a list in brackets{instead}"
        case "too_short":
            return "must not be empty"
        case "too_long":
            return f"has {context['actual_length']} items, which is more than {context['max_length']}"
        case "greater_than_equal":
            return f"must be at least {context['ge']:,}{instead}"
        case "less_than_equal":
            return f"must be at most {context['le']:,}{instead}"
    return details["msg"]


def shown(value: object) -> str:
    """Return a value of the file as it may be shown in an error: short, on one line."""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, dict):
        return "a table"
    if isinstance(value, list):
        return "a list"
    text = repr(value)
    return text if len(text) <= SHOWN_LIMIT_CHARS else f"{text[:SHOWN_LIMIT_CHARS]}…"


def _advice(key: str, known: list[str]) -> str:
    if key in MISTAKEN_KEYS:
        return MISTAKEN_KEYS[key]
    close = difflib.get_close_matches(key, known, n=1)
    return f"did you mean {close[0]!r}?" if close else f"the keys here are {', '.join(known)}"


def _known_keys(model: type[BaseModel], location: Location) -> list[str]:
    """Return the keys of the table at a location, found by walking the annotations of the models."""
    for part in location:
        if isinstance(part, str):
            model = _model_in(model.model_fields[_field_name(model, part)].annotation)
    return [field.alias or name for name, field in model.model_fields.items()]


def _field_name(model: type[BaseModel], key: str) -> str:
    return next(name for name, field in model.model_fields.items() if key in (name, field.alias))


def _model_in(annotation: Any) -> type[BaseModel]:
    """Return the model that an annotation is, or is a list of."""
    inner = get_args(annotation)
    found: type[BaseModel] = inner[0] if inner else annotation
    return found
