"""Black-box tests: third-party clients against a running broker. Nothing here imports the broker's packages."""
