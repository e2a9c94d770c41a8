"""Tests of the radio daemon: HCI over TCP, real bytes, real sockets."""
