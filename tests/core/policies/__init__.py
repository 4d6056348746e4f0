"""Tests of what an operator has queues and exchanges be."""
