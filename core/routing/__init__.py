"""Where a message goes: pure functions of exchanges and bindings."""
