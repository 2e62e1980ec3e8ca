"""The electrochemical metallisation (ECM) cell: a gap that silver ions bridge, and a filament that ruptures by itself.

One tunnelling gap x and one filament radius r, driven by charge transfer, ion hopping and nucleation, opened by
surface diffusion, coupled to the source's series resistance and compliance in every evaluation. Room is left for
composites: `circuit.solve` and `kinetics.rates` know one junction and nothing of how it is integrated.
"""

from .cell import EcmCell

__all__ = ["EcmCell"]
