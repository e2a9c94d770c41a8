"""Errors of BlueZ, D-Bus and bleak in words that a person can act on."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import TypeVar

import dbus.exceptions
from bleak.exc import BleakError

from ble_driver import LinkError, LinkRaceError, NoAnswerError, RadioError

from .remedies import REMEDIES

T = TypeVar("T")

#: What bleak raises: its own errors, and those of D-Bus under it.
BLEAK_ERRORS = (BleakError, EOFError, OSError, asyncio.TimeoutError)
#: Errors of BlueZ that are races of the radio and not a refusal by the peer (PROTOCOL.md, BlueZ facts).
RACES = ("br-connection-canceled", "le-connection-abort-by-local", "InProgress", "already in progress", "NotReady")
#: Attempts at a step that meets such races, and the seconds after the first of them.
RACE_ATTEMPTS, RACE_PAUSE = 3, 0.3


def words_of(error: BaseException) -> str:
    """Return what an error says, or what it is called if it says nothing, as a time-out does."""
    return str(error) or type(error).__name__


def is_race(error: BaseException) -> bool:
    """Whether an error is a race of the radio, and says nothing of the peer."""
    return any(word in str(error) for word in RACES)


def link_error(what: str, error: BaseException) -> LinkError:
    """Return the error of a link for one of bleak or BlueZ.

    Args:
        what: what failed, with the peer.
        error: why.
    """
    return (LinkRaceError if is_race(error) else LinkError)(f"{what}: {words_of(error)}")


async def past_races(step: Callable[[], Awaitable[T]], worth_it: Callable[[], bool] = lambda: True) -> T:
    """Take a step, again after a moment if it met a race of the radio.

    Args:
        step: starts the step.
        worth_it: whether another attempt can succeed.

    Raises:
        RadioError, BLEAK_ERRORS: what the step raised, if it was no race or too many.
    """
    attempt = 1
    while True:
        try:
            return await step()
        except (RadioError, *BLEAK_ERRORS) as error:
            if attempt == RACE_ATTEMPTS or not is_race(error) or not worth_it():
                raise
        await asyncio.sleep(RACE_PAUSE * attempt)
        attempt += 1


async def obeyed(command: Awaitable[T], what: str) -> T:
    """Await a command to BlueZ.

    Raises:
        NoAnswerError: bluetoothd did not answer in time.
        RadioError: it failed; the message says what to do.
    """
    try:
        return await command
    except dbus.exceptions.DBusException as error:
        name = str(error.get_dbus_name())
        raise RadioError(f"BlueZ cannot {what}: {REMEDIES.get(name, name)} ({error.get_dbus_message()})") from error
    except asyncio.TimeoutError as error:
        raise NoAnswerError(f"bluetoothd does not answer when it is to {what}") from error
    except BLEAK_ERRORS as error:
        raise RadioError(f"BlueZ cannot {what}: {words_of(error)}") from error
