"""The process around the broker: configuration, sockets, logs and the command line."""
