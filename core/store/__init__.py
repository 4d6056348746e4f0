"""What outlives the process: durable definitions and entries, written in batches and read back at the start.

The broker tells a `Journal` what has changed; whoever runs the broker has each sealed `Batch` committed by a `Store`, on a
thread of its own. What was promised in a batch is said to clients once that batch is on stable storage, not before.
"""
