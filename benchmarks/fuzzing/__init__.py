"""Kinds of damaged input, one module each with a class `Kind`; `benchmarks/fuzz.py` runs them."""
