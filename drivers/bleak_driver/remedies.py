"""What a person can do about an error of D-Bus or BlueZ. A file of its own, so that it can be read where the libraries
that raise such errors are missing."""

#: By the error's D-Bus name.
REMEDIES = {
    "org.freedesktop.DBus.Error.ServiceUnknown": "bluetoothd is not running: sudo systemctl start bluetooth",
    "org.freedesktop.DBus.Error.NameHasNoOwner": "bluetoothd is not running: sudo systemctl start bluetooth",
    "org.freedesktop.DBus.Error.Spawn.ChildExited": "bluetoothd is not running: sudo systemctl start bluetooth",
    "org.freedesktop.DBus.Error.AccessDenied": "the policy of D-Bus does not let this user talk to bluetoothd: "
    "sudo usermod -aG bluetooth $USER, then log in again; what it wants is told by "
    "grep -r org.bluez /etc/dbus-1/system.d /usr/share/dbus-1/system.d",
    "org.bluez.Error.Blocked": "the adapter is blocked: sudo rfkill unblock bluetooth",
    "org.bluez.Error.NotReady": "the adapter is off: bluetoothctl power on",
}
