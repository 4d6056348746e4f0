"""The broker itself: messages, routing, queues, permissions. Pure and synchronous."""
