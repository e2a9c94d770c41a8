"""Callbacks, on the radios of this repository."""

from ble_testing.contract.suite.test_callbacks import *  # noqa: F403
