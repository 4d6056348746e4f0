"""Tests of the load generator: what it counts, however the bytes arrive."""
