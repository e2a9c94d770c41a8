"""The contract between a mesh protocol and a Bluetooth LE radio.

Whoever implements `BLEDriverInterface` gives the protocol a radio; whoever calls it needs to know no other. The rules
below are checked by one test suite that every driver must pass (`ble_testing.contract`):

* Methods may be called from any thread and from any callback, and do not block. Only `stop` waits, within bounds.
* Callbacks run on the driver's dispatcher, one at a time, never inside a method call and never while a lock is held.
  A callback that raises is logged and harms nothing.
* Each link is reported as connected once, then any number of data, then disconnected once. Each attempt that `connect`
  accepted ends in `on_device_connected` or `on_connection_failed`, unless `stop` ends it.
* Nothing is reported after `stop` has returned.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from typing import Any, TypeAlias

from .address import AddressType
from .dispatcher import Dispatcher
from .errors import BLEDriverError, LinkError, SendQueueFull
from .status import DriverStatus
from .types import BLEDevice, DriverState, Role

#: What may be sent: anything that is plainly bytes; it is copied if its owner could change it.
Bytes: TypeAlias = bytes | bytearray | memoryview

OnDeviceDiscovered = Callable[[BLEDevice], Any]
OnDeviceConnected = Callable[[str, int], Any]
OnDeviceDisconnected = Callable[[str], Any]
OnDataReceived = Callable[[str, bytes], Any]
OnConnectionFailed = Callable[[str, LinkError], Any]
OnMTUChanged = Callable[[str, int], Any]
OnSendReady = Callable[[str], Any]
OnError = Callable[[BLEDriverError], Any]


class BLEDriverInterface(ABC):
    """A Bluetooth LE radio that is central and peripheral at once.

    Callbacks are attributes: assign a function, or None for "not interested".
    """

    #: An advertisement with our service was heard.
    on_device_discovered: OnDeviceDiscovered | None = None
    #: A link is up, in either role: address and ATT MTU in bytes. `peer_role` and `peer_identity` tell the rest.
    on_device_connected: OnDeviceConnected | None = None
    #: A link is gone.
    on_device_disconnected: OnDeviceDisconnected | None = None
    #: One frame arrived: a write on our RX characteristic or a notification of the peer's TX characteristic.
    on_data_received: OnDataReceived | None = None
    #: An attempt to connect ended without a link.
    on_connection_failed: OnConnectionFailed | None = None
    #: The ATT MTU that bounds frames to this peer is now this many bytes.
    on_mtu_changed: OnMTUChanged | None = None
    #: There is room in the send queue again after `SendQueueFull`.
    on_send_ready: OnSendReady | None = None
    #: The radio has a problem that a person may have to mend. The driver goes on trying.
    on_error: OnError | None = None

    # --- life ---------------------------------------------------------------------------------------------------------

    @abstractmethod
    def start(self, service_uuid: str, rx_char_uuid: str, tx_char_uuid: str, identity_char_uuid: str) -> None:
        """Begin to bring up the radio with this GATT service; problems come through `on_error`.

        Args:
            service_uuid: the primary service, also advertised and looked for.
            rx_char_uuid: the characteristic that centrals write frames to.
            tx_char_uuid: the characteristic that notifies frames to centrals.
            identity_char_uuid: the characteristic from which centrals read our identity.

        Raises:
            InvalidUUIDError: a UUID cannot be read as one.
            DriverStateError: the driver is started already.
        """

    @abstractmethod
    def stop(self) -> None:
        """End all links and free the radio; harmless when stopped. Returns within 5 seconds.

        Links that are up are reported as disconnected before it returns. Called from a callback, it returns at once:
        then those last reports are not made.
        """

    @abstractmethod
    def set_identity(self, identity_bytes: Bytes) -> None:
        """Set the 16 bytes that centrals read; until then their read is refused. Allowed at any time.

        Raises:
            DataTypeError: it is not bytes.
            InvalidIdentityError: it is not 16 bytes long.
        """

    @property
    @abstractmethod
    def dispatcher(self) -> Dispatcher:
        """The dispatcher on which callbacks run, to be shared by whoever listens."""

    @property
    @abstractmethod
    def state(self) -> DriverState:
        """What the radio is doing now; IDLE also while it is not up yet."""

    @property
    @abstractmethod
    def local_address(self) -> str | None:
        """The address that peers see, or None while it is unknown."""

    @property
    def local_address_type(self) -> AddressType:
        """Whether `local_address` is public or random; unknown if the platform does not say."""
        return AddressType.UNKNOWN

    def get_status(self) -> DriverStatus:
        """Return what there is to know, as plain values for people and for JSON; from any thread, started or not."""
        return {
            "state": [state.name.lower() for state in DriverState if state & self.state and state.name],
            "address": self.local_address,
            "connected": self.connected_peers,
            "connecting": self.connecting_peers,
        }

    # --- being found and finding --------------------------------------------------------------------------------------

    @abstractmethod
    def start_scanning(self) -> None:
        """Look for peers until told otherwise. Raises DriverStateError if the driver is not started."""

    @abstractmethod
    def stop_scanning(self) -> None:
        """Stop looking for peers. Raises DriverStateError if the driver is not started."""

    @abstractmethod
    def start_advertising(self, device_name: str | None = None) -> None:
        """Be seen and accept links until told otherwise; under another name, if it is called again with one.

        Args:
            device_name: a local name to advertise, or None for none. Eight characters fit beside the service UUID
                (PROTOCOL.md, Advertising).

        Raises:
            DriverStateError: the driver is not started.
            InvalidOptionError: the name is too long.
        """

    @abstractmethod
    def stop_advertising(self) -> None:
        """Stop being seen. Raises DriverStateError if the driver is not started."""

    # --- links --------------------------------------------------------------------------------------------------------

    @abstractmethod
    def connect(self, address: str) -> None:
        """Dial a peer; no-op if an attempt or a link exists.

        The link is reported only once the peer's identity was read, its MTU settled and its TX characteristic
        subscribed (PROTOCOL.md, Link set-up).

        Raises:
            InvalidAddressError: this is no address.
            DriverStateError: the driver is not started.
        """

    @abstractmethod
    def disconnect(self, address: str) -> None:
        """End the link, or give up the attempt, to a peer, whoever dialled; no-op if there is neither.

        Raises:
            InvalidAddressError: this is no address.
        """

    @property
    @abstractmethod
    def connected_peers(self) -> list[str]:
        """The addresses to which there is a link."""

    @property
    @abstractmethod
    def connecting_peers(self) -> list[str]:
        """The addresses to which an attempt is under way."""

    @abstractmethod
    def peer_role(self, address: str) -> Role | None:
        """Return the role that this node plays on the link: CENTRAL if it dialled. None without a link."""

    @abstractmethod
    def peer_identity(self, address: str) -> bytes | None:
        """Return the 16 bytes read from the peer of a link that this node dialled; None otherwise."""

    # --- frames -------------------------------------------------------------------------------------------------------

    @abstractmethod
    def send(self, address: str, data: Bytes) -> None:
        """Queue one frame to a peer; frames arrive in the order of the calls.

        On a link that this node dialled, the first frame is a write request, so that its arrival is certain.

        Raises:
            DriverStateError: the driver is not started.
            NotConnectedError: there is no link to this address.
            DataTypeError: `data` is not bytes.
            InvalidFrameError: `data` is empty.
            FrameTooLargeError: `data` is longer than `ble_driver.frame_size(mtu)`.
            SendQueueFull: the queue is at its bound; nothing was queued and `on_send_ready` will follow.
        """

    def send_frames(self, addresses: Sequence[str], frames: Sequence[Bytes]) -> list[str]:
        """Queue the frames of one packet to each of several peers; return the addresses whose queue was full.

        A radio whose notifications reach all its centrals overrides this, to send one copy and no other packet's
        frames between these.

        Raises:
            the errors of `send` other than SendQueueFull.
        """
        full = []
        for address in addresses:
            try:
                for frame in frames:
                    self.send(address, frame)
            except SendQueueFull:
                full.append(address)
        return full
