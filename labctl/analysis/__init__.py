"""Extraction: pure functions on arrays. Each names its definition and says which rows it used."""
