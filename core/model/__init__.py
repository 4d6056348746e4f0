"""What is stored and said: messages, addresses, properties, names and errors."""
