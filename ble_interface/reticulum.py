"""The interface for Reticulum, rns 1.4.2 to 1.5.x. The only module that imports RNS.

Reticulum loads it from ``<configdir>/interfaces/BLEInterface.py``, a file with this one line:

    from ble_interface.reticulum import interface_class

and a section in its configuration:

    [[Bluetooth]]
      type = BLEInterface
      enabled = yes
      driver = bumble
      radio = 127.0.0.1:7700

Besides Reticulum's own keys the section takes ``driver``, ``hw_mtu``, the settings of
`ble_interface.InterfaceSettings` and the options of the driver. Anything else is refused by name.
"""

from __future__ import annotations

import logging
import threading
import time
from typing import Any

import RNS
from RNS.Interfaces.Interface import Interface

from ble_driver import BLEDriverError, BLEDriverInterface, available_drivers, create_driver, driver_class
from ble_driver.options import parse_option, suggestion, text_options_of

from .errors import PeerGoneError, SettingError
from .interface import BLEInterface
from .peer import BLEPeerInterface
from .settings import InterfaceSettings

#: Bytes of the largest packet, without the access code. Reticulum's own MTU; both ends must have the same.
DEFAULT_HW_MTU = 500
#: Bytes of the longest interface access code (512 bits), which a packet may carry on top (PROTOCOL.md, Reticulum).
MAX_IFAC = 64
#: Bits per second that a link moves, for Reticulum's time-outs and announce budget; real ones do 100 to 700 thousand.
DEFAULT_BITRATE = 250_000
#: Seconds between two looks whether Reticulum has loaded its transport identity.
IDENTITY_POLL = 0.1

#: The keys of an interface section that Reticulum itself reads (rns 1.5.7).
RETICULUM_KEYS = frozenset(
    "name selected_interface_mode configured_bitrate type enabled interface_enabled mode interface_mode outgoing "
    "gravity bitrate ifac_size network_name networkname pass_phrase passphrase bootstrap_only recursive_prs "
    "announce_cap announce_rate_grace announce_rate_penalty announce_rate_target "
    "announces_from_internal announces_to_internal ignore_config_warnings "
    "ingress_control egress_control ic_burst_freq ic_burst_freq_new ic_burst_hold ic_burst_penalty "
    "ic_held_release_interval ic_max_held_announces ic_new_time ic_pr_burst_freq ic_pr_burst_freq_new ec_pr_freq "
    "announce_interval discoverable discovery_bandwidth discovery_encrypt discovery_frequency discovery_lxmf_address "
    "discovery_modulation discovery_name discovery_stamp_value height latitude longitude location_cmd publish_ifac "
    "reachable_on".split()
)

#: What a sub-interface has from its parent: Reticulum configures only the parent. Without the access code values a
#: network with a passphrase would be silently open (PROTOCOL.md, Reticulum).
INHERITED = (
    "IN OUT mode gravity bitrate announce_cap HW_MTU "
    "ifac_size ifac_netname ifac_netkey ifac_key ifac_identity ifac_signature "
    "announce_rate_target announce_rate_grace announce_rate_penalty recursive_prs "
    "announces_from_internal announces_to_internal bootstrap_only ingress_control egress_control "
    "ic_max_held_announces ic_burst_hold ic_burst_freq ic_burst_freq_new ic_pr_burst_freq ic_pr_burst_freq_new "
    "ic_new_time ic_burst_penalty ic_held_release_interval ec_pr_freq"
).split()


class ReticulumBLEInterface(Interface):  # type: ignore[misc]  # rns has no types
    """The parent interface: configured by Reticulum, carries nothing itself.

    Args:
        owner: Reticulum's ``Transport``.
        configuration: the section of the configuration file.

    Raises:
        SettingError: a key is unknown or has a bad value; the message says which and what to write.
        BLEDriverError: the driver is unknown, or what it needs is not installed.
    """

    DEFAULT_IFAC_SIZE = 16
    FIXED_MTU = True

    def __init__(self, owner: Any, configuration: Any) -> None:
        super().__init__()
        config = Interface.get_config_obj(configuration)
        _forward_logs_once()
        self.owner = owner
        self.name = config["name"]
        driver_name = config.get("driver")
        if driver_name is None:
            raise SettingError(f"set driver to one of: {', '.join(available_drivers())}")
        settings, options, hw_mtu = read_section(config, driver_class(driver_name))
        # Only now: the base class sets HW_MTU to None.
        self.HW_MTU = hw_mtu
        self.IN, self.OUT, self.online = True, False, False
        self.detached = False
        self._life = threading.Lock()  # so that nothing is started which was detached meanwhile
        self.bitrate = DEFAULT_BITRATE
        self.spawned_interfaces: list[ReticulumBLEPeer] = []
        self._children: dict[BLEPeerInterface, ReticulumBLEPeer] = {}
        # `ble-interface status` and `monitor` look at a running rnsd, so here the socket is on unless switched off.
        settings = {"status_socket": True, **settings}
        self._ble = BLEInterface(self, self.name, self.create_driver(driver_name, options), **settings)
        self._ble.on_peer_connected = self._add
        self._ble.on_peer_disconnected = self._remove

    def create_driver(self, name: str, options: dict[str, Any]) -> BLEDriverInterface:
        """Return the radio; a subclass may bring its own."""
        return create_driver(name, **options)

    def __str__(self) -> str:
        return f"BLEInterface[{self.name}]"

    @property
    def clients(self) -> int:
        """How many peers there are, as ``rnstatus`` shows it."""
        return len(self._children)

    def final_init(self) -> None:
        """Reticulum has configured this interface. Its identity comes later still, so wait for it on a thread."""
        threading.Thread(target=self._start_with_identity, name=f"{self.name}-start", daemon=True).start()

    def _start_with_identity(self) -> None:
        while RNS.Transport.identity is None:
            if self.detached:
                return
            time.sleep(IDENTITY_POLL)  # Reticulum tells nobody when it has loaded it
        with self._life:
            if self.detached:
                return
            try:
                self._ble.start(RNS.Transport.identity.hash)
            except Exception as error:
                RNS.log(f"{self} could not be started: {error}", RNS.LOG_ERROR)
                return
            self.online = True

    def process_outgoing(self, data: bytes) -> None:
        """Send nothing: each peer has an interface of its own, and a packet sent here too would go out twice."""

    def detach(self) -> None:
        """End all links and free the radio; Reticulum calls it when it exits."""
        with self._life:
            if self.detached:
                return
            self.detached = True
            self.online = False
        self._ble.stop()
        for peer in list(self._children):
            self._remove(peer)

    # --- what the BLEInterface calls, on its delivery thread ----------------------------------------------------------

    def inbound(self, packet: bytes, peer: BLEPeerInterface) -> None:
        """Hand a packet to Reticulum, which may block."""
        child = self._children.get(peer)
        if child is not None:
            child.process_incoming(packet)

    def _add(self, peer: BLEPeerInterface) -> None:
        child = ReticulumBLEPeer(self, peer)
        self._children[peer] = child
        self.spawned_interfaces.append(child)
        RNS.Transport.add_interface(child)

    def _remove(self, peer: BLEPeerInterface) -> None:
        child = self._children.pop(peer, None)
        if child is not None:
            child.online = False
            self.spawned_interfaces.remove(child)
            RNS.Transport.remove_interface(child)


class ReticulumBLEPeer(Interface):  # type: ignore[misc]  # rns has no types
    """The interface of one peer, made when its link comes up and removed when it is gone.

    Attributes:
        peer: what carries its packets.
    """

    FIXED_MTU = True

    def __init__(self, parent: ReticulumBLEInterface, peer: BLEPeerInterface) -> None:
        super().__init__()
        self.parent_interface = parent
        self.owner = parent.owner
        self.name = peer.name
        self.peer = peer
        for name in INHERITED:
            if hasattr(parent, name):
                setattr(self, name, getattr(parent, name))
        self.online = True

    def __str__(self) -> str:
        # Reticulum tells interfaces apart by the hash of this text, so it names the peer in full.
        return str(self.peer)

    def process_outgoing(self, data: bytes) -> None:
        """Queue a packet to the peer; Reticulum calls this under its locks."""
        try:
            self.peer.process_outgoing(data)
        except PeerGoneError:
            return  # it is being removed
        self.txb += len(data)
        self.parent_interface.txb += len(data)

    def process_incoming(self, data: bytes) -> None:
        """Count a packet from the peer and hand it on."""
        self.rxb += len(data)
        self.parent_interface.rxb += len(data)
        self.owner.inbound(data, self)

    def detach(self) -> None:
        """Nothing of its own to free: the parent ends the link."""
        self.detached = True
        self.online = False


def read_section(config: Any, driver: type[BLEDriverInterface]) -> tuple[dict[str, Any], dict[str, Any], int]:
    """Sort the keys of a section into settings of the interface, options of the driver, and the hardware MTU.

    Raises:
        SettingError: a key belongs to nobody, or its value cannot be read.
    """
    ours = {**text_options_of(InterfaceSettings), "hw_mtu": int, "driver": str}
    del ours["max_packet"]  # follows from hw_mtu
    drivers = text_options_of(driver)
    settings: dict[str, Any] = {}
    options: dict[str, Any] = {}
    for key in config:
        try:
            if key in ours:
                settings[key] = parse_option(key, config[key], ours[key])
            elif key in drivers:
                options[key] = parse_option(key, config[key], drivers[key])
            elif key not in RETICULUM_KEYS:
                raise SettingError(f"unknown setting {key!r}{suggestion(key, {*ours, *drivers, *RETICULUM_KEYS})}")
        except BLEDriverError as error:
            raise SettingError(str(error)) from None
    settings.pop("driver", None)
    hw_mtu = settings.pop("hw_mtu", DEFAULT_HW_MTU)
    if not RNS.Reticulum.MTU <= hw_mtu <= 65_535:
        raise SettingError(f"hw_mtu must be from {RNS.Reticulum.MTU} to 65535, not {hw_mtu}")
    settings["max_packet"] = hw_mtu + MAX_IFAC
    return settings, options, hw_mtu


class _ToReticulum(logging.Handler):
    """Writes what the library logs into Reticulum's log, where its users look."""

    LEVELS = ((logging.ERROR, RNS.LOG_ERROR), (logging.WARNING, RNS.LOG_WARNING), (logging.INFO, RNS.LOG_VERBOSE))

    def emit(self, record: logging.LogRecord) -> None:
        level = next((theirs for ours, theirs in self.LEVELS if record.levelno >= ours), RNS.LOG_DEBUG)
        RNS.log(self.format(record), level)


def _forward_logs_once() -> None:
    for name in ("ble_driver", "ble_interface", "drivers"):
        logger = logging.getLogger(name)
        if not any(isinstance(handler, _ToReticulum) for handler in logger.handlers):
            logger.addHandler(_ToReticulum())
            logger.setLevel(logging.INFO)
            logger.propagate = False


#: What Reticulum looks for in an interface file.
interface_class = ReticulumBLEInterface
