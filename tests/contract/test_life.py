"""Starting and stopping, on the radios of this repository."""

from ble_testing.contract.suite.test_life import *  # noqa: F403
