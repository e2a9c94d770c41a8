"""What `ble-interface doctor` says of hosts that are made up here. Real ones are in tests/bluez/scenarios/doctor.py."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from ble_cli.doctor import CHECKS, Finding, Host, Status, fixes, run_checks
from ble_cli.doctor.bus import Bus, look
from ble_cli.doctor.run import exit_code
from ble_cli.main import group
from drivers.bleak_driver.remedies import REMEDIES

PID = 77
ADAPTER = {"Address": "00:11:22:33:44:55", "Powered": True, "Roles": ["central", "peripheral", "central-peripheral"]}
ADVERTISING = {"SupportedInstances": 5, "ActiveInstances": 0}


def bus(
    adapter: Mapping[str, Any] | None = ADAPTER, advertising: Mapping[str, Any] | None = ADVERTISING, **changes: Any
) -> Bus:
    parts = {}
    if adapter is not None:
        parts["org.bluez.Adapter1"] = adapter
        if advertising is not None:
            parts["org.bluez.LEAdvertisingManager1"] = advertising
    return Bus(daemon_pid=PID, objects={"/org/bluez/hci0": parts} if parts else {}, **changes)


@pytest.fixture
def host(tmp_path: Path) -> Host:
    """A host with which all is well."""
    write(tmp_path / f"proc/{PID}/cmdline", "/usr/libexec/bluetooth/bluetoothd\0-f\0" + str(tmp_path / "main.conf"))
    write(tmp_path / f"proc/{PID}/comm", "bluetoothd\n")
    write(tmp_path / "main.conf", "[GATT]\nChannels = 1\n")
    write(tmp_path / "sys/class/bluetooth/hci0/type", "")
    (tmp_path / "sys/class/rfkill").mkdir(parents=True)
    return Host(
        reticulum=tmp_path / "reticulum",
        proc=tmp_path / "proc",
        sys=tmp_path / "sys",
        look=lambda: bus(),
        holder_of=lambda _: None,
    )


def write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)


def find(host: Host, name: str) -> Finding:
    return dict(run_checks({name: CHECKS[name]}, host))[name]


def on_bus(host: Host, seen: Bus) -> Host:
    host.look = lambda: seen
    return host


def switch(host: Host, *, soft: int = 0, hard: int = 0, kind: str = "bluetooth") -> None:
    for name, text in {"type": kind, "name": "hci0", "soft": str(soft), "hard": str(hard)}.items():
        write(host.sys / "class/rfkill/rfkill0" / name, text + "\n")


def test_a_program_of_ours_that_has_the_adapter_is_named(host: Host) -> None:
    assert "has it" not in find(host, "in-use").detail
    host.holder_of = {"hci0": "process 5 (rnsd)"}.get
    found = find(host, "in-use")
    assert found.status is Status.OK
    assert "process 5 (rnsd) has it" in found.detail


def test_a_host_that_is_well_is_found_well(host: Host) -> None:
    switch(host)
    for name in ("dbus", "bluetoothd", "dbus-policy", "att-bearers", "kernel-adapter", "rfkill", "adapter"):
        assert find(host, name).status is Status.OK, find(host, name)
    for name in ("powered", "roles", "advertising", "in-use"):
        assert find(host, name).status is Status.OK, find(host, name)


@pytest.mark.parametrize(
    ("seen", "name", "word", "remedy"),
    [
        (Bus(trouble="No such file or directory"), "dbus", "cannot be reached", "systemctl start dbus"),
        (bus(refusal=("org.freedesktop.DBus.Error.AccessDenied", "Rejected")), "dbus-policy", "bluetoothd", ""),
        (bus(refusal=("no answer", "within 5 s")), "dbus-policy", "no answer", "systemctl restart bluetooth"),
        (bus(None), "adapter", "the kernel has hci0", "systemctl restart bluetooth"),
        (bus({**ADAPTER, "Powered": False}), "powered", "hci0 is off", "bluetoothctl power on"),
        (bus({**ADAPTER, "Roles": ["central"]}), "roles", "cannot be peripheral", "ControllerMode"),
        (bus(advertising={"SupportedInstances": 0, "ActiveInstances": 5}), "advertising", "all 5", "restart bluetooth"),
        (bus(advertising=None), "advertising", "cannot advertise", "another adapter"),
        (bus(None), "in-use", "another program has hci0", "kill"),
    ],
)
def test_a_fault_on_the_bus_is_named(host: Host, seen: Bus, name: str, word: str, remedy: str) -> None:
    finding = find(on_bus(host, seen), name)
    assert finding.status is Status.FAILED, finding
    assert word in finding.detail
    assert finding.remedy is not None
    assert remedy in finding.remedy


def test_a_bluetoothd_that_is_not_there_is_named(host: Host) -> None:
    finding = find(on_bus(host, Bus()), "bluetoothd")
    assert finding.status is Status.FAILED
    assert finding.remedy in ("sudo systemctl start bluetooth", "sudo apt install bluez")


def test_the_policy_is_mended_by_the_group_for_those_who_are_not_root(
    host: Host, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Host, "is_root", lambda self: False)
    on_bus(host, bus(refusal=("org.freedesktop.DBus.Error.AccessDenied", "")))
    finding = find(host, "dbus-policy")
    assert f"{finding.detail}: {finding.remedy}" == REMEDIES["org.freedesktop.DBus.Error.AccessDenied"]


def test_several_bearers_are_named_with_the_file(host: Host, tmp_path: Path) -> None:
    write(tmp_path / "main.conf", "[GATT]\n#Channels = 3\n")
    finding = find(host, "att-bearers")
    assert finding.status is Status.FAILED
    assert "3 ATT bearers" in finding.detail
    assert finding.remedy is not None
    assert str(tmp_path / "main.conf") in finding.remedy


def test_a_blocked_adapter_is_named(host: Host) -> None:
    switch(host, soft=1)
    assert find(host, "rfkill").remedy == "sudo rfkill unblock bluetooth"
    switch(host, hard=1)
    assert find(host, "rfkill").remedy == "flip that switch"
    switch(host, soft=1, kind="wlan")
    assert find(host, "rfkill").status is Status.OK


def test_an_adapter_of_another_number_is_offered(host: Host) -> None:
    host.adapter = "hci1"
    finding = find(host, "kernel-adapter")
    assert finding.status is Status.FAILED
    assert "--adapter hci0" in str(finding.remedy)
    assert "there is: hci0" in find(host, "adapter").detail


def test_whoever_holds_the_adapter_is_named(host: Host) -> None:
    write(host.proc / "net/hci", "sk RefCnt Rmem Wmem User Inode Parent\n0 2 0 0 0 4711 0\n")
    write(host.proc / "99/comm", "sniffer\n")
    (host.proc / "99/fd").mkdir()
    (host.proc / "99/fd/3").symlink_to("socket:[4711]")
    finding = find(on_bus(host, bus(None)), "in-use")
    assert "sniffer (process 99)" in finding.detail
    assert finding.remedy == "end it: sudo kill 99"


def test_a_check_that_breaks_is_a_finding(host: Host) -> None:
    def broken(host: Host) -> Finding:
        raise KeyError("Powered")

    findings = dict(run_checks({"broken": broken, "dbus": CHECKS["dbus"]}, host))
    assert findings["broken"].status is Status.FAILED
    assert "KeyError" in findings["broken"].detail
    assert findings["dbus"].status is Status.OK
    assert exit_code(findings) == 1


def test_a_host_without_anything_is_looked_at_without_a_traceback(tmp_path: Path) -> None:
    (tmp_path / "proc").mkdir()
    nothing = Host(
        reticulum=tmp_path / "none", proc=tmp_path / "proc", sys=tmp_path / "sys", look=lambda: Bus(trouble="none")
    )
    findings = dict(run_checks(CHECKS, nothing))
    assert not any("broke" in finding.detail for finding in findings.values())
    assert findings["kernel-adapter"].remedy == "sudo modprobe bluetooth btusb"


def test_without_a_bus_that_is_what_is_seen(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("DBUS_SYSTEM_BUS_ADDRESS", f"unix:path={tmp_path}/none")
    assert look().trouble is not None


# --- Reticulum --------------------------------------------------------------------------------------------------------

SECTION = "[interfaces]\n  [[Bluetooth]]\n    type = BLEInterface\n    enabled = yes\n    driver = mock\n"


def test_reticulum_well_configured(host: Host) -> None:
    write(host.reticulum / "config", SECTION)
    write(host.reticulum / "interfaces/BLEInterface.py", "from ble_interface.reticulum import interface_class\n")
    assert find(host, "reticulum-file").status is Status.OK
    assert find(host, "reticulum-config").status is Status.OK


@pytest.mark.parametrize(
    ("text", "status", "word"),
    [
        (SECTION.replace("driver", "drivr"), Status.FAILED, "it does not set driver"),
        (SECTION + "    adaptr = hci0\n", Status.FAILED, "unknown setting 'adaptr'"),
        (SECTION.replace("mock", "moc"), Status.FAILED, "did you mean 'mock'"),
        (SECTION.replace("yes", "no"), Status.WARNING, "is not enabled"),
        ("[interfaces]\n", Status.WARNING, "no interface of the type BLEInterface"),
        ("[interfaces\n", Status.FAILED, "Reticulum cannot read"),
    ],
)
def test_a_bad_section_is_named(host: Host, text: str, status: Status, word: str) -> None:
    write(host.reticulum / "config", text)
    finding = find(host, "reticulum-config")
    assert finding.status is status, finding
    assert word in finding.detail


def test_a_missing_or_foreign_interface_file_is_named(host: Host) -> None:
    write(host.reticulum / "config", SECTION)
    assert find(host, "reticulum-file").remedy == "ble-interface install-reticulum"
    write(host.reticulum / "interfaces/BLEInterface.py", "class BLEInterface: ...\n")
    assert "is not ours" in find(host, "reticulum-file").detail


# --- the command ------------------------------------------------------------------------------------------------------


def test_json_has_every_check_and_the_exit_code_tells(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("DBUS_SYSTEM_BUS_ADDRESS", f"unix:path={tmp_path}/none")
    result = CliRunner().invoke(group, ["doctor", "--json", "--config", str(tmp_path)], standalone_mode=False)
    checks = json.loads(result.stdout)["checks"]
    assert [check["name"] for check in checks] == list(CHECKS)
    assert all(list(check) == ["name", "status", "detail", "remedy"] for check in checks)
    assert result.return_value == 1


def test_people_read_lines_of_80_columns_but_commands_in_one_piece(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("DBUS_SYSTEM_BUS_ADDRESS", f"unix:path={tmp_path}/none")
    result = CliRunner().invoke(group, ["doctor"], standalone_mode=False, env={"COLUMNS": "80"})
    lines = result.stdout.splitlines()
    assert "\x1b" not in result.stdout
    assert all(len(line) <= 80 for line in lines if "->" not in line)
    assert any(line.startswith("  -> sudo systemctl start dbus") for line in lines)


def test_fix_runs_only_what_is_safe_and_only_after_a_yes(monkeypatch: pytest.MonkeyPatch) -> None:
    ran: list[list[str]] = []

    def run(command: list[str]) -> None:
        ran.append(command)

    monkeypatch.setattr(fixes, "run", run)
    findings = {
        "rfkill": Finding(Status.FAILED, "", "sudo rfkill unblock bluetooth"),
        "powered": Finding(Status.FAILED, "", "bluetoothctl power on"),
        "adapter": Finding(Status.FAILED, "", "sudo systemctl restart bluetooth"),
        "reticulum": Finding(Status.WARNING, "", "sudo systemctl start bluetooth"),
    }
    answers = {"run rfkill unblock bluetooth ?": True, "run bluetoothctl power on ?": False}
    from ble_cli.doctor.command import _mend

    assert _mend(findings, True, lambda question: answers.pop(question))
    assert ran == [["rfkill", "unblock", "bluetooth"]]
    assert answers == {}


def test_the_safe_remedies_are_those_that_the_driver_gives() -> None:
    given = {text.partition(": ")[2] for text in REMEDIES.values()}
    assert set(fixes.SAFE) <= given


def test_a_command_that_fails_says_why() -> None:
    assert fixes.run(["false"]) == "it ended with 1"
    assert "No such file" in str(fixes.run(["/no/such/program"]))
    assert fixes.run(["true"]) is None


def test_fix_and_json_do_not_go_together() -> None:
    result = CliRunner().invoke(group, ["doctor", "--fix", "--json"])
    assert result.exit_code == 2
