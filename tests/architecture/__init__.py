"""Tests of the shape of the code: who may import whom, how long a file is, what every module says."""
