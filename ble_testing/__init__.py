"""For people who test: the contract suite for drivers, and an air in a test for stacks.

The only package here that imports pytest, and the reason why it is one of its own: pytest loads `ble_testing.plugin`
in every run of every project where this library is installed, so that must not bring in more than itself. Look into
`ble_testing.contract` to test a driver, and into `ble_testing.air` to test a stack.
"""
