"""Samples with values that are only bounds, distributions fitted to them, intervals that cover, cycles apart from cells."""
