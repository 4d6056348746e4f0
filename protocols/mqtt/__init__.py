"""MQTT 3.1.1, and 3.1 where its clients differ."""
