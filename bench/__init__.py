"""The bench: a load generator, the brokers it is pointed at, and one table of the figures side by side."""
