"""The tests of the contract; `ble_driver/interface.py` says in words what they check."""
