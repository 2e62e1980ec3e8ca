"""The electrochemical metallisation (ECM) cell: a gap that silver ions bridge, and a filament that ruptures by itself.

One tunnelling gap x and one filament radius r, driven by charge transfer, ion hopping and nucleation, opened by
surface diffusion, coupled to the source's series resistance and compliance in every evaluation. A device is one cell, or
two in series with the node between them solved: `circuit`, `integrator` for one, `series_circuit`, `series_integrator` for
two, on the same currents and kinetics.
"""

from .cell import EcmCell

__all__ = ["EcmCell"]
