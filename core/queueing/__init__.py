"""Who holds a message until it is settled, and who receives it."""
