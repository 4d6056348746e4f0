"""Is anything lost that was confirmed? Publishers and consumers of all protocols, and a broker that is killed again and again.

`python -m interop.crash --rounds 25` and `make crash`. See docs/durability.md.
"""
