"""Tests of the STOMP machine: frames in, frames out."""
