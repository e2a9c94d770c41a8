"""What the section of Reticulum's configuration may hold, and what is said when it holds something else."""

from __future__ import annotations

import re

import pytest

from ble_interface import SettingError
from ble_interface.reticulum import INHERITED, RETICULUM_KEYS, read_section
from drivers.bumble_driver import BumbleDriver

SECTION = {"name": "BLE", "type": "BLEInterface", "enabled": "yes", "driver": "bumble"}


def read(**keys: str) -> tuple[dict[str, object], dict[str, object], int]:
    return read_section({**SECTION, **keys}, BumbleDriver)


def test_keys_go_where_they_belong() -> None:
    settings, options, hw_mtu = read(
        radio="127.0.0.1:7701", mtu="185", max_connections="3", device_name="node", passphrase="secret", mode="gw"
    )
    assert settings == {"max_connections": 3, "device_name": "node", "max_packet": 564}
    assert options == {"radio": "127.0.0.1:7701", "mtu": 185}
    assert hw_mtu == 500


def test_a_larger_hardware_mtu_makes_larger_packets() -> None:
    settings, _, hw_mtu = read(hw_mtu="1064")
    assert (settings["max_packet"], hw_mtu) == (1128, 1064)


@pytest.mark.parametrize(
    ("key", "value", "hint"),
    [
        ("max_conections", "3", "unknown setting 'max_conections': did you mean 'max_connections'?"),
        ("radoi", "127.0.0.1:1", "unknown setting 'radoi': did you mean 'radio'?"),
        ("passphrse", "secret", "unknown setting 'passphrse': did you mean 'passphrase'?"),
        ("zzz", "1", "unknown setting 'zzz'; it has:"),
        ("max_connections", "many", "max_connections must be a whole number, not 'many'"),
        ("connect_timeout", "soon", "connect_timeout must be a number, not 'soon'"),
        ("hw_mtu", "499", "hw_mtu must be from 500 to 65535, not 499"),
        ("max_packet", "900", "unknown setting 'max_packet'"),
    ],
)
def test_a_bad_section_is_refused_by_name(key: str, value: str, hint: str) -> None:
    with pytest.raises(SettingError, match=re.escape(hint)):
        read(**{key: value})


def test_nothing_is_listed_twice_and_nothing_of_the_access_code_is_missing() -> None:
    assert len(set(INHERITED)) == len(INHERITED)
    assert {"ifac_size", "ifac_key", "ifac_identity", "ifac_signature", "HW_MTU"} <= set(INHERITED)
    assert {"passphrase", "network_name", "mode", "ifac_size"} <= RETICULUM_KEYS
