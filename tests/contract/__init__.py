import pytest

# Also where this repository is not installed, so that its plugin does not say so: in guests of `tests.bluez`.
pytest.register_assert_rewrite("ble_testing.contract")
