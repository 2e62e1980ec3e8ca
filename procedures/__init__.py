"""Recipes: one file, one recipe, one command (``iv_sweep.py`` is ``labctl run iv-sweep``)."""
