"""Tests of who holds a message, and until when."""
