"""Addresses, UUIDs, MTUs: what is accepted, and what is said otherwise."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ble_driver import (
    InvalidAddressError,
    InvalidMTUError,
    InvalidUUIDError,
    address_to_int,
    frame_size,
    normalise_address,
)
from ble_driver.uuids import normalise_uuid


@given(st.integers(0, 2**48 - 1), st.sampled_from(":-"), st.booleans())
def test_every_spelling_of_an_address_is_one_address(number: int, separator: str, upper: bool) -> None:
    octets = number.to_bytes(6, "big").hex(separator)
    text = normalise_address(octets.upper() if upper else octets)
    assert text == number.to_bytes(6, "big").hex(":").upper()
    assert address_to_int(text) == number


@given(st.text(max_size=20))
def test_what_is_no_address_is_refused(text: str) -> None:
    with pytest.raises(InvalidAddressError, match="AA:BB:CC:DD:EE:FF"):
        normalise_address(text)


def test_uuids_are_compared_without_case() -> None:
    assert normalise_uuid("37145B00-442D-4A94-917F-8F42C5DA28E3") == "37145b00-442d-4a94-917f-8f42c5da28e3"
    for bad in ("", "37145b00", "x" * 36, None, 7):
        with pytest.raises(InvalidUUIDError, match="8-4-4-4-12"):
            normalise_uuid(bad)  # type: ignore[arg-type]


@pytest.mark.parametrize(("mtu", "size"), [(23, 20), (185, 182), (512, 509), (513, 510), (517, 510)])
def test_a_frame_is_what_the_mtu_leaves_and_bluez_takes(mtu: int, size: int) -> None:
    assert frame_size(mtu) == size


@pytest.mark.parametrize("mtu", [22, 518, 0, -1, "185", None, 185.0, True])
def test_an_impossible_mtu_is_refused(mtu: object) -> None:
    with pytest.raises(InvalidMTUError, match="from 23 to 517"):
        frame_size(mtu)  # type: ignore[arg-type]
