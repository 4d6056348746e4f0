"""Tests of the AMQP machine. Frames are made and read by pamqp, the codec of others."""
