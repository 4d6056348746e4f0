"""The load generator: one process that plays every client of a work item and prints what it measured as JSON."""
