"""The states of a link: which may follow which, and what happens on a step that none may take."""

from __future__ import annotations

import logging

import pytest

from ble_interface import states
from ble_interface.states import LEGAL, ConnectionState, IllegalTransitionError


def test_every_state_is_in_the_table_and_leads_to_the_end() -> None:
    assert set(LEGAL) == set(ConnectionState)
    for state in ConnectionState:
        assert state is ConnectionState.GONE or ConnectionState.GONE in LEGAL[state]
        assert state not in LEGAL[state]


def test_only_an_attempt_cannot_be_closed_because_only_a_link_can() -> None:
    closable = {state for state in ConnectionState if ConnectionState.CLOSING in LEGAL[state]}
    assert closable == set(ConnectionState) - {
        ConnectionState.DIALLING,
        ConnectionState.CLOSING,
        ConnectionState.GONE,
    }


def test_in_a_program_an_illegal_step_is_logged(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    raised: list[IllegalTransitionError] = []
    monkeypatch.setattr(states, "on_illegal", raised.append)
    states.check_transition(ConnectionState.GONE, ConnectionState.ACTIVE, "AA:BB:CC:DD:EE:FF")
    assert str(raised[0]) == "the link to AA:BB:CC:DD:EE:FF cannot go from gone to active"
    with caplog.at_level(logging.ERROR):
        states._log(raised[0])
    assert "cannot go from gone to active" in caplog.text
