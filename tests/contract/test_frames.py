"""Frames, on the radios of this repository."""

from ble_testing.contract.suite.test_frames import *  # noqa: F403
