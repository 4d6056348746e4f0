"""The brokers that the bench starts: ours, those to compare with, and the relay that shows the generator's ceiling."""
