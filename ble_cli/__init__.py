"""The command `ble-interface`: a program on top of everything else.

Each subcommand imports what it needs when it is called, so that `doctor` works where most of that is missing.
"""
