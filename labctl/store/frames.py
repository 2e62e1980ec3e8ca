r"""The journal's bytes: a preamble, then frames with a checksum each, only ever appended.

All numbers are little-endian.

Preamble, 32 bytes: the magic ``89 4C 4A 52 0D 0A 1A 0A`` (a byte that is not text, "LJR", and line ends, so that a copy
in text mode shows), the format version (uint32, 2), flags (uint32, none yet), the heartbeat (float64: when the program last
said that it lives, s since 1970-01-01 UTC; 0 for never; the only bytes that are written again), 8 zero bytes. Format 1 has the
first 16 of them, and is still read.

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
A reader takes frames until one is incomplete or fails its checksum; nothing after that is trusted. A tag of zeros is the
end too: in format 2 the disk's space may be taken ahead, and a frame's tag be written after the rest of it, so that a frame
that was cut short by death is not there. (Format 1 has no such zeros; there they count as damage.)
"""

from __future__ import annotations

import os
import struct
import zlib
from collections.abc import Iterator, Sequence
from typing import BinaryIO, NamedTuple

from labctl.store.errors import StoreError

MAGIC = b"\x89LJR\r\n\x1a\n"
VERSION = 2
HEARTBEAT_AT = 16  #: byte of the preamble where the heartbeat begins
HEAD, ROWS, PROVISIONAL, STIMULUS, OUTCOME, EVENT, END = b"HEAD", b"ROWS", b"PROV", b"STIM", b"OUTC", b"EVNT", b"END."

_PREAMBLE = struct.Struct("<8sII")  # all of format 1's
_PREAMBLE_2 = struct.Struct("<d8x")  # what format 2 has after it
_START = struct.Struct("<4sIdI")
_FRAME = struct.Struct("<4sIdII")
_CHECKSUM = struct.Struct("<I")
_LONGEST = 2**32 - 1  # the length is a uint32
HEAD_SIZE = _FRAME.size  #: bytes of a frame before its payload
TAG_SIZE = 4  #: bytes of a frame's tag
#: Bytes the space taken ahead never exceeds (mapped.py takes less); what lies further out was not left by a writer.
_AHEAD = 2**24
_PIECE = 2**20  # bytes read at a time


class Frame(NamedTuple):
    """One frame as read: its tag, time (s since the start), number of rows and payload."""

    tag: bytes
    time: float
    rows: int
    payload: bytes


def preamble() -> bytes:
    """The first 32 bytes of every journal, without a heartbeat yet."""
    return _PREAMBLE.pack(MAGIC, VERSION, 0) + _PREAMBLE_2.pack(0.0)


def heartbeat(time: float) -> bytes:
    """The heartbeat as it stands in the preamble. time: s since 1970-01-01 UTC."""
    return struct.pack("<d", time)


def encode(tag: bytes, time: float, payload: bytes, rows: int = 0) -> bytes:
    """One frame. time: s since the start of the run. Raises StoreError for a payload above 4 GiB."""
    length = len(payload)
    if length > _LONGEST:
        raise StoreError(f"{length} bytes are too many for one frame of a journal; yield smaller blocks")
    start = _START.pack(tag, length, time, rows)
    return start + _CHECKSUM.pack(zlib.crc32(payload, zlib.crc32(start))) + payload


class RowFormat:
    """How one row of plain numbers becomes a frame, with as few steps as can be.

    kinds: one letter a column, in the header's order: "d" for float64, "q" for int64 (struct's letters).
    covered: packs what the checksum is over (tag, length, time, 1, values); rest: packs the frame from its byte 4 on
    (length, time, 1, checksum, values). Both raise struct.error for what is no number of that kind.
    """

    def __init__(self, kinds: str) -> None:
        self.covered = struct.Struct(f"<4sIdI{kinds}")
        self.rest = struct.Struct(f"<IdII{kinds}")
        self.size = TAG_SIZE + self.rest.size
        self.length = self.size - HEAD_SIZE

    def encode(self, time: float, values: Sequence[float]) -> bytes:
        """The frame of one row. time: s since the start of the run."""
        checksum = zlib.crc32(self.covered.pack(ROWS, self.length, time, 1, *values))
        return ROWS + self.rest.pack(self.length, time, 1, checksum, *values)


class Scan:
    """Iterate over the good frames of an open journal, once, from its beginning.

    size: bytes the file had when the scan began; good: bytes up to the end of the last good frame; lost: bytes after them
    that are neither good nor just space taken ahead, known when the iteration has ended; heartbeat: s since 1970-01-01 UTC,
    0 for none. Raises StoreError if the file is not a journal or of a newer format.
    """

    def __init__(self, file: BinaryIO, name: str) -> None:
        self._file = file
        self.size = os.fstat(file.fileno()).st_size
        self.lost = 0
        self.version, self.heartbeat, self.good = _read_preamble(file, name)

    def __iter__(self) -> Iterator[Frame]:
        yield from self._frames()
        self.lost = self._count_lost()

    def _frames(self) -> Iterator[Frame]:
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

    def _count_lost(self) -> int:
        """Bytes after the good ones that were more than one frame whose writing was cut short before its tag came."""
        rest = self.size - self.good
        if rest <= 0 or self.version == 1:
            return max(rest, 0)
        self._file.seek(self.good)
        head = self._file.read(_FRAME.size)
        claimed = _FRAME.size + int.from_bytes(head[TAG_SIZE : TAG_SIZE + 4], "little")
        used = self._used(rest, claimed)
        if any(head[:TAG_SIZE]):  # published, and yet not good
            return min(rest, max(used, claimed))
        return used if used > claimed else 0

    def _used(self, rest: int, claimed: int) -> int:
        """How many of the `rest` bytes after the good ones there are up to the last that is not zero."""
        if rest > claimed + _AHEAD:
            return rest
        self._file.seek(self.good)
        at = used = 0
        while piece := self._file.read(min(_PIECE, rest - at)):
            if found := len(piece.rstrip(b"\0")):
                used = at + found
            at += len(piece)
        return used


def _read_preamble(file: BinaryIO, name: str) -> tuple[int, float, int]:
    """The format version, the heartbeat (s since 1970-01-01 UTC, 0 for none) and the preamble's length in bytes."""
    start = file.read(_PREAMBLE.size)
    if start and (MAGIC.startswith(start) or (start.startswith(MAGIC) and len(start) < _PREAMBLE.size)):
        raise StoreError(_too_short(name))
    if len(start) < _PREAMBLE.size or not start.startswith(MAGIC):
        raise StoreError(f"{name} is not a journal of labctl")
    _, version, flags = _PREAMBLE.unpack(start)
    if version == 1:
        return 1, 0.0, _PREAMBLE.size
    if version != VERSION:
        raise StoreError(f"{name} has journal format {version}, this labctl reads up to {VERSION}; update labctl")
    if flags:
        raise StoreError(f"{name} has a journal with flags {flags:#x} that this labctl does not know; update labctl")
    rest = file.read(_PREAMBLE_2.size)
    if len(rest) < _PREAMBLE_2.size:
        raise StoreError(_too_short(name))
    return version, _PREAMBLE_2.unpack(rest)[0], _PREAMBLE.size + _PREAMBLE_2.size


def _too_short(name: str) -> str:
    return f"{name}: the journal ends before its header; nothing was recorded, it can be deleted"
