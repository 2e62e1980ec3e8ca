"""Reads the YAML files users write: YAML 1.2, every mistake at once, each with file, line, column and a suggestion."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterable
from pathlib import Path
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError
from ruamel.yaml import YAML
from ruamel.yaml.composer import Composer
from ruamel.yaml.error import MarkedYAMLError, YAMLError
from ruamel.yaml.events import AliasEvent

from labctl.errors import UsageError
from labctl.plugins import suggestion

M = TypeVar("M", bound=BaseModel)
#: Bounds of a file, all guesses far above what anybody writes: bytes, values (those an alias stands for counted), depth.
_BYTES, _VALUES, _DEPTH = 2**18, 5_000, 40
_SAID = 50  #: mistakes said one by one
#: Where YAML 1.2's own tags begin; any other names something to be made, which no file of ours needs.
_OWN_TAGS = "tag:yaml.org,2002:"
_PLAIN_TAGS = ("str", "int", "float", "bool", "null", "map", "seq")


def load(path: Path, model: type[M]) -> M:
    """Read `path` as a `model`. Raises UsageError with one ``file:line:column: place: what`` per mistake."""
    data = _parse(path)
    try:
        return model.model_validate(data)
    except ValidationError as error:
        wrong = error.errors()
        more = [f"{path}: and {len(wrong) - _SAID} mistakes more"] if len(wrong) > _SAID else []
        raise UsageError("\n".join([_line(path, data, item, model) for item in wrong[:_SAID]] + more)) from None


def scalar(text: str) -> Any:
    """What a single YAML 1.2 value means: "1e-3" a number, "true" a boolean, anything else text."""
    try:
        value = YAML(typ="safe").load(text)
    except (YAMLError, ValueError, RecursionError):
        return text
    return value if isinstance(value, (bool, int, float)) else text


class _Bounded(Composer):  # type: ignore[misc]  # ruamel.yaml has no types
    """Composes a document within the bounds; refuses tags that stand for more than plain values, and aliases that explode."""

    _values, _depth = 0, 0
    _worth: dict[str, int]

    def compose_node(self, parent: Any, index: Any) -> Any:
        """Take the next node. Raises MarkedYAMLError."""
        event = self.parser.peek_event()
        anchor, tag = str(getattr(event, "anchor", None) or ""), str(getattr(event, "tag", None) or "")
        plain = not tag or tag == "!" or tag.removeprefix(_OWN_TAGS) in _PLAIN_TAGS
        self._must(plain, event, f"the tag {tag} is not allowed: this file holds plain values, nothing is made from it")
        self._depth += 1
        self._must(self._depth <= _DEPTH, event, f"nested deeper than {_DEPTH} levels")
        if self.parser.check_event(AliasEvent):
            self._must(anchor in self.worth, event, f"*{anchor} stands for something it is itself in, or for nothing")
        before, self._values = self._values, self._values + self.worth.get(anchor, 1)
        self._must(self._values <= _VALUES, event, f"more than {_VALUES} values, counting what aliases stand for")
        node = super().compose_node(parent, index)
        if anchor:
            self.worth[anchor] = self._values - before
        self._depth -= 1
        return node

    @property
    def worth(self) -> dict[str, int]:
        """How many values each anchor stands for."""
        if not hasattr(self, "_worth"):
            self._worth = {}
        return self._worth

    def _must(self, holds: bool, event: Any, problem: str) -> None:
        if not holds:
            raise MarkedYAMLError(problem=problem, problem_mark=event.start_mark)


def _parse(path: Path) -> Any:
    try:
        reader = YAML(typ="rt")
        reader.Composer = _Bounded
        return reader.load(_text(path))
    except MarkedYAMLError as error:
        mark = error.problem_mark
        place = f":{mark.line + 1}:{mark.column + 1}" if mark else ""
        raise UsageError(f"{path}{place}: {error.problem}") from None
    except FileNotFoundError:
        raise UsageError(f"{path}: there is no such file") from None
    except (YAMLError, OSError, ValueError, RecursionError) as error:  # ValueError: a date or number that can't be
        raise UsageError(f"{path}: {' '.join(str(error).split())}") from None


def _text(path: Path) -> str:
    """The text of a regular file of a size that somebody can have written: opening a FIFO would wait for ever."""
    found = os.stat(path)
    if not (stat.S_ISREG(found.st_mode) or stat.S_ISDIR(found.st_mode)):
        raise OSError("it is not a regular file")
    if found.st_size > _BYTES:
        raise OSError(f"it has {found.st_size} bytes, more than the {_BYTES} allowed")
    return path.read_text(encoding="utf-8")


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
