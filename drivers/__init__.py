"""The radios: one package each, found by name through ``ble_driver.create_driver``."""
