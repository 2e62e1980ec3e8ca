"""Run files in the formats of other programs: tables, arrays, and device models for simulators of neural networks."""
