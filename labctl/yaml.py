"""Reads the YAML files users write: YAML 1.2, every mistake at once, each with file, line, column and a suggestion."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError
from ruamel.yaml import YAML
from ruamel.yaml.error import MarkedYAMLError, YAMLError

from labctl.errors import UsageError
from labctl.plugins import suggestion

M = TypeVar("M", bound=BaseModel)


def load(path: Path, model: type[M]) -> M:
    """Read `path` as a `model`. Raises UsageError with one ``file:line:column: place: what`` per mistake."""
    data = _parse(path)
    try:
        return model.model_validate(data)
    except ValidationError as error:
        raise UsageError("\n".join(_line(path, data, item, model) for item in error.errors())) from None


def scalar(text: str) -> Any:
    """What a single YAML 1.2 value means: "1e-3" a number, "true" a boolean, anything else text."""
    try:
        value = YAML(typ="safe").load(text)
    except YAMLError:
        return text
    return value if isinstance(value, (bool, int, float)) else text


def _parse(path: Path) -> Any:
    try:
        return YAML(typ="rt").load(path.read_text(encoding="utf-8"))
    except MarkedYAMLError as error:
        mark = error.problem_mark
        place = f":{mark.line + 1}:{mark.column + 1}" if mark else ""
        raise UsageError(f"{path}{place}: {error.problem}") from None
    except FileNotFoundError:
        raise UsageError(f"{path}: there is no such file") from None
    except (YAMLError, OSError, UnicodeDecodeError) as error:
        raise UsageError(f"{path}: {' '.join(str(error).split())}") from None


def _line(path: Path, data: Any, error: Any, model: type[BaseModel]) -> str:
    place = ".".join(map(str, error["loc"]))
    hint = ""
    if error["type"] == "extra_forbidden":
        hint = suggestion(str(error["loc"][-1]), list(_known(model, error["loc"][:-1])))
    message = _WORDS.get(error["type"], error["msg"].removeprefix("Value error, "))
    return f"{path}{_where(data, error['loc'])}: {place or 'file'}: {message}{hint}"


#: pydantic's words for programmers -> words for whoever writes the file
_WORDS = {
    "extra_forbidden": "there is no such entry",
    "missing": "this entry is missing",
    "model_type": "must be a list of 'name: value' lines",
    "dict_type": "must be a list of 'name: value' lines",
}


def _where(data: Any, location: Iterable[Any]) -> str:
    line, column, node = 0, 0, data
    for key in location:
        try:
            marks: Any = node.lc  # ruamel.yaml keeps the place of every key and item here
            line, column = marks.key(key) if isinstance(node, dict) else marks.item(key)
            node = node[key]
        except (AttributeError, KeyError, IndexError, TypeError):
            break  # a missing field has no place of its own: the nearest parent's is given
    return f":{line + 1}:{column + 1}"


def _known(model: type[BaseModel], location: Iterable[Any]) -> Iterable[str]:
    kind: Any = model
    for key in location:
        annotation = kind.model_fields[key].annotation if _is_model(kind) and key in kind.model_fields else kind
        inner = [arg for arg in (*getattr(annotation, "__args__", ()), annotation) if _is_model(arg)]
        kind = inner[0] if inner else kind
    return kind.model_fields if _is_model(kind) else ()


def _is_model(kind: Any) -> bool:
    return isinstance(kind, type) and issubclass(kind, BaseModel)
