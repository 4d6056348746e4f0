"""The tests. Each folder mirrors the package of its name."""
