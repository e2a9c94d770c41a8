"""Real Reticulum nodes over the emulated radio."""

from __future__ import annotations

import time
from pathlib import Path

from .processes import node, radio, running, wait_for, write_config


def test_a_passphrase_holds_on_the_air(tmp_path: Path) -> None:
    """Alice and Bob share a passphrase, Eve has none, Mallory another: only Alice and Bob hear each other."""
    with radio() as address:
        common = {"driver": "bumble", "radio": address}
        with (
            node(write_config(tmp_path / "eve", **common), "eve") as eve,
            node(write_config(tmp_path / "mallory", **common, passphrase="wrong"), "mallory") as mallory,
            node(write_config(tmp_path / "alice", **common, passphrase="secret"), "alice") as alice,
            node(write_config(tmp_path / "bob", **common, passphrase="secret"), "bob") as bob,
        ):
            nodes = (alice, bob, eve, mallory)
            wait_for(lambda: alice.events("heard") and bob.events("heard"), 30)
            # Each of them has a radio link to each of the others.
            wait_for(lambda: all(sum("linked to" in line for line in n.log) >= 3 for n in nodes), 30)
            time.sleep(3)  # some announces more, so that what is not heard has been said
            assert [event["peer"] for event in alice.events("heard")] == ["bob"]
            assert [event["peer"] for event in bob.events("heard")] == ["alice"]
            assert eve.events("heard") == mallory.events("heard") == []


def test_a_misspelt_setting_is_named_and_the_node_lives(tmp_path: Path) -> None:
    config = write_config(tmp_path / "node", driver="bumble", radoi="127.0.0.1:7700")
    with node(config, "alice") as process:
        wait_for(lambda: process.events("interface_failed"), 20)
        wait_for(lambda: "did you mean 'radio'" in "\n".join(process.log), 5)
    assert "Traceback" not in "\n".join(process.lines)


def test_a_radio_that_is_not_there_yet_is_named_and_awaited(tmp_path: Path) -> None:
    config = write_config(tmp_path / "node", driver="bumble", radio="127.0.0.1:9")
    with node(config, "alice") as process:
        wait_for(lambda: "no radio answers at 127.0.0.1:9" in "\n".join(process.log), 20)
        assert "python -m drivers.bumble_driver.radio" in "\n".join(process.log)
        assert process.events("up")


def test_the_sub_interface_is_what_reticulum_needs(tmp_path: Path) -> None:
    config = write_config(
        tmp_path / "node",
        driver="bumble",
        radio="{radio}",
        passphrase="secret",
        mode="gateway",
        ifac_size="64",
        announce_rate_target="1234",
        ic_burst_freq="7",
        bitrate="123456",
    )
    with radio() as address:
        text = (config / "config").read_text()
        (config / "config").write_text(text.replace("{radio}", address))
        with running("-m", "tests.reticulum.one_node", str(config), address) as process:
            wait_for(lambda: process.events("done") or process.events("failed"), 40)
    assert process.events("failed") == [], "\n".join(process.log[-30:])
