"""labctl: the software a memristor lab runs its bench with.

The three plug-in folders (``procedures/``, ``instruments/``, ``sim_backends/``) and ``data/`` are installed as
``labctl.procedures`` and so on. In a checkout they lie *beside* this folder, so it is joined to the search path here;
in an installed wheel they lie inside it and nothing is added.
"""

from pathlib import Path

__version__ = "0.1.0"

_beside = Path(__file__).resolve().parent.parent
if (_beside / "procedures").is_dir() and not (Path(__file__).parent / "procedures").is_dir():
    __path__.append(str(_beside))
