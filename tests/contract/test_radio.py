"""A radio that goes away, on the radios of this repository."""

from ble_testing.contract.suite.test_radio import *  # noqa: F403
