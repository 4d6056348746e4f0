"""Tests of the process around the broker."""
