"""Links, on the radios of this repository."""

from ble_testing.contract.suite.test_links import *  # noqa: F403
