"""Tests of the machines: bytes in, bytes out."""
