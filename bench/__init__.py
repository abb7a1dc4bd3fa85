"""Measurements: each beside its limit, in one run."""
