"""Tests of the MQTT machine. Each names the normative statement that it checks."""
