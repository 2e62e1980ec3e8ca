"""Instruments: one file or folder per instrument, found by its name through labctl.plugins."""
