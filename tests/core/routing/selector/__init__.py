"""The language of selectors, and how many of them are asked about one message."""
