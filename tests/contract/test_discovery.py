"""Being found and finding, on the radios of this repository."""

from ble_testing.contract.suite.test_discovery import *  # noqa: F403
