"""Look through the global heaps of an HDF5 file before the library does: of a damaged one it may never come back.

Texts of variable length lie in "global heap collections" (HDF5 file format specification, III.E): the signature ``GCOL``,
version 1, three zeros, the size of all (8 bytes), then objects, each with a head of 16 bytes: index, references, 4 bytes
reserved, size (8 bytes); the data, filled up to a multiple of 8. The object with index 0 is the free space, its size includes
the head. HDF5 2.0 steps from head to head without looking: a size of 0, or one that wraps around, holds it for ever (found by
flipping bytes).
"""

from __future__ import annotations

import mmap
import struct
from collections.abc import Iterator
from pathlib import Path

_COLLECTION = b"GCOL\x01\0\0\0"
_SIZE = struct.Struct("<Q")
_OBJECT = struct.Struct("<HHIQ")
_HEAD = len(_COLLECTION) + _SIZE.size  # 16 bytes


def check(path: Path) -> None:
    """Raise ValueError if a global heap in the file at `path` has objects that do not fit. Raises OSError."""
    with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
        at = data.find(_COLLECTION)
        while at >= 0:
            at = data.find(_COLLECTION, _end_of(data, at))


def _end_of(data: mmap.mmap, start: int) -> int:
    """Where the collection that begins at `start` ends."""
    if start + _HEAD > len(data):
        raise ValueError(f"the texts at byte {start} are cut off")
    end = start + _SIZE.unpack_from(data, start + len(_COLLECTION))[0]
    if not start + _HEAD <= end <= len(data):
        raise ValueError(f"the texts at byte {start} reach beyond the file")
    at = start + _HEAD
    while at + _OBJECT.size <= end:
        index, _, _, size = _OBJECT.unpack_from(data, at)
        step = _OBJECT.size + (size + 7) // 8 * 8 if index else size
        if step < _OBJECT.size or at + step > end:
            raise ValueError(f"the text at byte {at} does not fit among the others")
        at += step
    return int(end)


# -- what attributes claim ------------------------------------------------------------------------------------------------
_PREFIX = struct.Struct(
    "<BBHII"
)  # version, reserved, messages, references, bytes (III.A.1 "version 1 object header prefix")
_MESSAGE = struct.Struct("<HHB3x")  # type, bytes, flags
_ATTRIBUTE, _CONTINUED = 0x0C, 0x10  # types of messages: IV.A.2.m, IV.A.2.q
_NAMES = struct.Struct("<BBHHH")  # version, flags, bytes of name, datatype, dataspace
_VLEN = 9  # class of a datatype of variable length, IV.A.2.d


def check_attributes(path: Path, header: int) -> None:
    """Raise ValueError if an attribute of the object whose header is at byte `header` claims more text than the file has.

    The library makes room for what is claimed before it looks. Headers of version 1 are understood, which is what labctl and
    h5repack write; of others nothing is said.
    """
    with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
        if data[header : header + 1] != b"\x01":
            return
        for start, size in _attributes(data, header):
            message = data[start : start + size]
            if _is_long_text(message) and int.from_bytes(message[-16:-12], "little") > len(data):
                raise ValueError(f"the attribute at byte {start} claims more text than the file holds")


def _attributes(data: mmap.mmap, header: int) -> Iterator[tuple[int, int]]:
    """Where the attribute messages of a header lie: (first byte, bytes)."""
    _, _, _, _, size = _PREFIX.unpack_from(data, header)
    blocks, seen = [(header + 16, size)], set[int]()
    while blocks:
        at, size = blocks.pop()
        end = min(at + size, len(data))
        if at in seen:  # a header that goes round in circles
            return
        seen.add(at)
        while at + _MESSAGE.size <= end:
            kind, length, _ = _MESSAGE.unpack_from(data, at)
            at += _MESSAGE.size
            if kind == _CONTINUED and at + 16 <= end:
                blocks.append(struct.unpack_from("<QQ", data, at))
            elif kind == _ATTRIBUTE and at + length <= end:
                yield at, length
            at += length


def _is_long_text(message: bytes) -> bool:
    """Whether an attribute message ends in the pointer to one text of variable length."""
    if len(message) < _NAMES.size + 16:
        return False
    version, _, name, _, _ = _NAMES.unpack_from(message)
    start = _NAMES.size + ((name + 7) // 8 * 8 if version == 1 else name + (version == 3))
    return bool(start < len(message) and message[start] & 0x0F == _VLEN)
