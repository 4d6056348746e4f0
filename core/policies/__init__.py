"""Policies: what an operator has queues and exchanges be, beside what their clients have asked for."""
