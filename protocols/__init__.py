"""The sans-I/O machines of the protocols: bytes in, bytes out, method calls on the core."""
