r"""The journal's bytes: a preamble, then frames with a checksum each, only ever appended.

All numbers are little-endian.

Preamble, 16 bytes: the magic ``89 4C 4A 52 0D 0A 1A 0A`` (a byte that is not text, "LJR", and line ends, so that a copy
in text mode shows), the format version (uint32), zero (uint32).

A frame is a head of 24 bytes and a payload:

========  =======  ==================================================================
bytes     type     meaning
========  =======  ==================================================================
0-3       text     tag, see below
4-7       uint32   length of the payload in bytes
8-15      float64  time, s since the start of the run
16-19     uint32   rows in the payload (row frames), else 0
20-23     uint32   CRC-32 (zlib's) over the 20 bytes before it and the payload
========  =======  ==================================================================

Tags: ``HEAD`` (JSON, always first), ``ROWS`` and ``PROV`` (final and provisional rows: column after column, 8 bytes a
value, in the header's order), ``STIM``, ``OUTC``, ``EVNT`` (JSON), ``END.`` (JSON, last).
A reader takes frames until one is incomplete or fails its checksum; nothing after that is trusted.
"""

from __future__ import annotations

import os
import struct
import zlib
from collections.abc import Iterator
from typing import BinaryIO, NamedTuple

from labctl.store.errors import StoreError

MAGIC = b"\x89LJR\r\n\x1a\n"
VERSION = 1
HEAD, ROWS, PROVISIONAL, STIMULUS, OUTCOME, EVENT, END = b"HEAD", b"ROWS", b"PROV", b"STIM", b"OUTC", b"EVNT", b"END."

_PREAMBLE = struct.Struct("<8sII")
_START = struct.Struct("<4sIdI")
_FRAME = struct.Struct("<4sIdII")
_CHECKSUM = struct.Struct("<I")
_LONGEST = 2**32 - 1  # the length is a uint32


class Frame(NamedTuple):
    """One frame as read: its tag, time (s since the start), number of rows and payload."""

    tag: bytes
    time: float
    rows: int
    payload: bytes


def preamble() -> bytes:
    """The first 16 bytes of every journal."""
    return _PREAMBLE.pack(MAGIC, VERSION, 0)


def encode(tag: bytes, time: float, payload: bytes, rows: int = 0) -> bytes:
    """One frame. time: s since the start of the run. Raises StoreError for a payload above 4 GiB."""
    length = len(payload)
    if length > _LONGEST:
        raise StoreError(f"{length} bytes are too many for one frame of a journal; yield smaller blocks")
    start = _START.pack(tag, length, time, rows)
    return start + _CHECKSUM.pack(zlib.crc32(payload, zlib.crc32(start))) + payload


class Scan:
    """Iterate over the good frames of an open journal, once, from its beginning.

    size: bytes the file had when the scan began; good: bytes up to the end of the last good frame.
    Raises StoreError if the file is not a journal or of a newer format.
    """

    def __init__(self, file: BinaryIO, name: str) -> None:
        self._file = file
        self.size = os.fstat(file.fileno()).st_size
        self.good = _PREAMBLE.size
        _check_preamble(file.read(_PREAMBLE.size), name)

    def __iter__(self) -> Iterator[Frame]:
        read, unpack, crc32, whole = self._file.read, _FRAME.unpack, zlib.crc32, _FRAME.size
        while len(head := read(whole)) == whole:
            tag, length, time, rows, checksum = unpack(head)
            end = self.good + whole + length
            if end > self.size:  # before reading: a damaged length must not ask for 4 GiB
                return
            payload = read(length)
            if len(payload) < length or crc32(payload, crc32(head[: _START.size])) != checksum:
                return
            self.good = end
            yield Frame(tag, time, rows, payload)


def _check_preamble(start: bytes, name: str) -> None:
    if start and (MAGIC.startswith(start) or (start.startswith(MAGIC) and len(start) < _PREAMBLE.size)):
        raise StoreError(f"{name}: the journal ends before its header; nothing was recorded, it can be deleted")
    if len(start) < _PREAMBLE.size or not start.startswith(MAGIC):
        raise StoreError(f"{name} is not a journal of labctl")
    _, version, _ = _PREAMBLE.unpack(start)
    if not 1 <= version <= VERSION:
        raise StoreError(f"{name} has journal format {version}, this labctl reads up to {VERSION}; update labctl")
