"""What goes wrong while a link is set up, on the radios of this repository."""

from ble_testing.contract.suite.test_faults import *  # noqa: F403
