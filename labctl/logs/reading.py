"""Read a log back, its parts in order; also while it is being written, and whatever is wrong in it."""

from __future__ import annotations

import gzip
import re
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from labctl.errors import UsageError
from labctl.logs.lines import Entry, escape, parse

_LONGEST = 2**24  #: bytes of a line; above the longest reply of an instrument, and it bounds what a hostile part costs


def parts(path: Path) -> list[Path]:
    """The files of the log `path`, oldest first: ``path.1.gz`` ..., then `path`. Raises UsageError if there is none of them.

    Only regular files count; of a part that was being compressed when its program died, the one not compressed is taken.
    """
    numbered: dict[int, Path] = {}
    pattern = re.compile(re.escape(path.name) + r"\.(\d{1,9})(\.gz)?")
    for item in path.parent.iterdir() if path.parent.is_dir() else ():
        found = pattern.fullmatch(item.name)
        if found is not None and _is_plain(item) and not (found[2] and int(found[1]) in numbered):
            numbered[int(found[1])] = item
    ordered = [numbered[number] for number in sorted(numbered)] + ([path] if _is_plain(path) else [])
    if not ordered:
        raise UsageError(f"{path} does not exist, or is no regular file")
    return ordered


def raw_lines(path: Path) -> Iterator[str]:
    """Every line of the log, without its line feed; a part that is damaged ends with a line ``# ... is damaged``."""
    for part in parts(path):
        try:
            with _opened(part) as file:
                while line := file.readline(_LONGEST):
                    yield _shown(line)
        except FileNotFoundError:  # compressed or removed just now by the run that writes it
            packed = part.with_name(f"{part.name}.gz")
            if packed.exists():
                yield from _lines_of(packed)
        except (OSError, EOFError, zlib.error) as error:
            yield f"# {part.name} is damaged from here on ({' '.join(str(error).split())})"


def entries(path: Path) -> Iterator[Entry]:
    """Every entry of a wire log; lines that are none are left out, but for what is damaged: that is an entry "!"."""
    for line in raw_lines(path):
        entry = parse(line)
        if entry is not None:
            yield entry
        elif line.endswith(")") and " is damaged from here on (" in line:
            yield Entry(float("nan"), "-", "-", "!", line.removeprefix("# "))


def _lines_of(part: Path) -> Iterator[str]:
    with _opened(part) as file:
        while line := file.readline(_LONGEST):
            yield _shown(line)


def _opened(part: Path) -> BinaryIO:
    return gzip.open(part, "rb") if part.suffix == ".gz" else part.open("rb")  # type: ignore[return-value]


def _shown(line: bytes) -> str:
    """A line fit for a terminal: what the log's writer would not have written is escaped."""
    text = line.decode("utf-8", "backslashreplace").removesuffix("\n")
    return text if text.isprintable() else "".join(c if c.isprintable() else escape(c) for c in text)


def _is_plain(path: Path) -> bool:
    return path.is_file() and not path.is_symlink()
