"""Take from an HDF5 file of unknown origin only what it really holds, each thing of the kind expected.

Checked before anything is read: the kind of the object and of its values; that it lies in this file (links to elsewhere,
virtual datasets and external storage are refused); that its size can be backed by the bytes stored for it; that only filters
every HDF5 library has are needed, so that none is loaded. Whatever is otherwise raises ValueError naming the place.
"""

from __future__ import annotations

import os
from typing import Any

import h5py
import numpy as np
from numpy.typing import NDArray

from labctl.store import values

#: Bytes that one stored byte can stand for: the most that deflate gives (zlib's technical details, "maximum expansion factor").
RATIO = 1032
_DEFLATE, _SHUFFLE, _FLETCHER32 = 1, 2, 3  # numbers of HDF5's own filters, H5Zpublic.h
#: How HDF5 stores one text of variable length: its length, then where it is; 16 bytes with the usual 8-byte addresses (HDF5
#: file format specification, VIII.A "variable-length"; III.E "global heap").
_POINTER = np.dtype([("length", "<u4"), ("address", "<u8"), ("index", "<u4")])
_AT_ONCE = 2**26  #: bytes of text read in one go where it can't be known before; a guess
_LAYOUTS = (h5py.h5d.COMPACT, h5py.h5d.CONTIGUOUS, h5py.h5d.CHUNKED)


def group(parent: Any, name: str) -> Any:
    """The group `name` in `parent`."""
    return _child(parent, name, h5py.Group, "group")


def numbers(parent: Any, name: str, dtype: str, length: int | None = None) -> NDArray[Any]:
    """A 1-D array of `dtype` ("float64", "int64"), of `length` items if that is given."""
    array: NDArray[Any] = source(parent, name, dtype, length)[...].astype(dtype, copy=False)
    return array


def source(parent: Any, name: str, dtype: str, length: int | None = None) -> Any:
    """The dataset behind `numbers`, of which nothing is read yet."""
    found = _dataset(parent, name)
    wanted = np.dtype(dtype)
    if found.dtype.kind != wanted.kind or found.dtype.itemsize != wanted.itemsize:
        raise ValueError(f"{_place(parent, name)} holds {found.dtype}, not {dtype}")
    _check_shape(found, length, _place(parent, name))
    return found


def length(parent: Any, name: str) -> int:
    """How many items the 1-D dataset `name` has."""
    found = _dataset(parent, name)
    _check_shape(found, None, _place(parent, name))
    return int(found.shape[0])


def texts(parent: Any, name: str, length: int | None = None) -> list[str]:
    """A 1-D array of texts."""
    found = _text_dataset(parent, name)
    _check_shape(found, length, _place(parent, name))
    count = int(found.shape[0])
    step = count if _is_backed(found) else max(1, _AT_ONCE // _file_size(found))
    total, items = 0, list[str]()
    for start in range(0, count, max(step, 1)):
        raw = found[start : start + step].tolist()
        total += sum(map(len, raw))
        if total > _file_size(found) * (1 if found.dtype.kind == "O" else RATIO):
            raise ValueError(f"{_place(parent, name)} holds more text than the file")
        items += [item.decode("utf-8") for item in raw]
    return items


def text(parent: Any, name: str) -> str:
    """One text."""
    found = _text_dataset(parent, name)
    if found.shape != ():
        raise ValueError(f"{_place(parent, name)} is an array, not one text")
    _is_backed(found)
    return bytes(found[()]).decode("utf-8")


def attribute(item: Any, name: str, kind: type[str] | type[int] | type[float]) -> Any:
    """The attribute `name`, one value of `kind`. Raises KeyError if there is none."""
    where = f"{item.name}@{name}"
    if name not in item.attrs:
        raise KeyError(f"{where} is missing")
    found = item.attrs.get_id(name)
    if found.shape != ():
        raise ValueError(f"{where} is no single value")
    if kind is str:
        if h5py.check_string_dtype(found.dtype) is None:
            raise ValueError(f"{where} is no text")
        value = item.attrs[name]
        return values.clean(value.decode("utf-8") if isinstance(value, bytes) else value)
    if found.dtype.kind not in ("iu" if kind is int else "iuf"):
        raise ValueError(f"{where} is no {'integer' if kind is int else 'number'}")
    return kind(item.attrs[name])


# -- how ------------------------------------------------------------------------------------------------------------------
def _child(parent: Any, name: str, kind: Any, words: str) -> Any:
    where = _place(parent, name)
    link = parent.get(name, getlink=True)
    if link is None:
        raise KeyError(f"{where} is missing")
    if not isinstance(link, h5py.HardLink):
        raise ValueError(f"{where} is a link to elsewhere, which is not followed")
    found = parent[name]
    if not isinstance(found, kind):
        raise ValueError(f"{where} is no {words}")
    return found


def _dataset(parent: Any, name: str) -> Any:
    found, where = _child(parent, name, h5py.Dataset, "dataset"), _place(parent, name)
    plan = found.id.get_create_plist()
    if plan.get_layout() not in _LAYOUTS or plan.get_external_count():
        raise ValueError(f"{where} keeps its values in other files, which are not opened")
    filters = [plan.get_filter(number)[0] for number in range(plan.get_nfilters())]
    if len(set(filters)) < len(filters) or not set(filters) <= {_DEFLATE, _SHUFFLE, _FLETCHER32}:
        raise ValueError(f"{where} needs filters {filters}, of which only one each of gzip, shuffle, fletcher32 is run")
    if found.shape is None:
        raise ValueError(f"{where} is empty")
    stored, claimed = found.id.get_storage_size(), _claimed(found)
    if claimed > RATIO * stored:
        raise ValueError(
            f"{where} claims {claimed} bytes, but {stored} are stored: more than {RATIO} to 1 is not possible"
        )
    return found


def _claimed(dataset: Any) -> int:
    """Bytes that reading takes: all values, or one chunk if that is more; in Python's integers, which do not overflow."""
    size = int(dataset.id.get_type().get_size())
    for extent in dataset.shape:
        size *= int(extent)
    chunk = int(dataset.id.get_type().get_size())
    for extent in dataset.chunks or ():
        chunk *= int(extent)
    return max(size, chunk) if size and dataset.chunks else size


def _text_dataset(parent: Any, name: str) -> Any:
    found = _dataset(parent, name)
    if h5py.check_string_dtype(found.dtype) is None:
        raise ValueError(f"{_place(parent, name)} holds {found.dtype}, not text")
    return found


def _is_backed(dataset: Any) -> bool:
    """Whether all its texts together are known to fit into the file; raises ValueError if they are known not to.

    Many texts may point at one long one, or claim any length: their pointers are looked at before the library follows them.
    """
    count, offset = int(np.prod(dataset.shape, dtype=object)), dataset.id.get_offset()
    if offset is None or dataset.dtype.kind != "O" or dataset.id.get_storage_size() != count * _POINTER.itemsize:
        return bool(dataset.dtype.kind != "O")
    pointers = np.fromfile(dataset.file.filename, _POINTER, count, offset=offset)
    if len(pointers) < count or int(pointers["length"].sum(dtype=np.uint64)) > _file_size(dataset):
        raise ValueError(f"{dataset.name} claims more text than the file holds")
    return True


def _file_size(dataset: Any) -> int:
    name: str = dataset.file.filename
    return os.path.getsize(name)


def _check_shape(dataset: Any, length: int | None, where: str) -> None:
    if len(dataset.shape) != 1 or length not in (None, dataset.shape[0]):
        raise ValueError(f"{where} has shape {dataset.shape}, not ({'n' if length is None else length},)")


def _place(parent: Any, name: str) -> str:
    return f"{str(parent.name).rstrip('/')}/{name}"
