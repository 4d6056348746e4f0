"""Stateful models: random operations on a part, compared with something too simple to be wrong."""
