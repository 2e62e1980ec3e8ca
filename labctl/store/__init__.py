"""Run files: what a run was and measured, kept while it happens and found again.

A run is written to a journal (``run.jrn``), one checksummed frame at a time, and packed into one HDF5 file (``run.h5``)
when it ends, however it ends. Both are described in ``data/run-file.md``. h5py is loaded only to pack and read::

    writer = RunWriter.create(Path("run.h5"), header)
    writer.append(block)
    path = writer.finish("finished")
    run = read(path)
"""

from labctl.store.errors import EmptyJournal, NameTaken, StoreError
from labctl.store.finding import is_dead, read, read_header
from labctl.store.header import PlotSpec, RunHeader
from labctl.store.journal import being_written
from labctl.store.model import Ending, Event, Run, Stimulus
from labctl.store.recovery import orphans, recover, under_way
from labctl.store.sliced import SlicedRun, open_sliced
from labctl.store.writer import RunWriter

__all__ = [
    "EmptyJournal", "Ending", "Event", "NameTaken", "PlotSpec", "Run", "RunHeader", "RunWriter", "SlicedRun", "Stimulus",
    "StoreError", "being_written", "is_dead", "open_sliced", "orphans", "read", "read_header", "recover", "under_way",
]  # fmt: skip
