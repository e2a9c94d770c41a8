"""The rig on which the library meets real BlueZ: guests with a Linux kernel each, on the project's own virtual air.

``python -m tests.bluez`` builds what it needs, boots virtual machines and runs the scenarios in `scenarios/`::

    runner ── BumbleDriver ──┐
      │                      ├── radio daemon (one air)
      ├── guest a ── H4 ─────┤       each guest: Linux, dbus-daemon, bluetoothd,
      └── guest b ── H4 ─────┘       one /dev/vhci controller, the radio behind it

* `build/` makes kernel, initrd, guest roots and the guests' Python environment, once, in a cache directory.
* `vm/` starts qemu and talks to the steward inside.
* `guest_side/` is what runs inside: the init script, the steward, the glue between virtio-serial and /dev/vhci, and the
  programs that scenarios use. Nothing in it may import the rest.
* `rig.py` is what a scenario is handed, `runner.py` runs scenarios and judges.

Nothing here is collected by pytest.
"""
