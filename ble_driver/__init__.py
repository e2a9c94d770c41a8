"""The contract between a mesh stack and a Bluetooth LE radio, and what every radio shares.

Start with `create_driver`; write a radio of your own on `BaseDriver`.
"""

from .adapter_lock import AdapterLock, CoordinationClient, share_adapter
from .address import AddressType, address_to_int, normalise_address
from .async_dispatcher import AsyncDispatcher
from .att import ATT_HEADER, DEFAULT_MTU, MAX_FRAME, MAX_MTU, check_mtu, clamp_mtu, frame_size
from .base_driver import BaseDriver, GattUUIDs
from .checks import IDENTITY_LENGTH, MAX_NAME, as_bytes, check_identity, check_seconds
from .dispatcher import Dispatcher, DispatcherClosedError, Timer, Worker
from .errors import (
    AdapterLockError,
    BLEDriverError,
    ConnectCancelledError,
    ConnectTimeoutError,
    DataTypeError,
    DispatcherBlockedError,
    DriverStateError,
    FrameTooLargeError,
    InvalidAddressError,
    InvalidFrameError,
    InvalidIdentityError,
    InvalidMTUError,
    InvalidOptionError,
    InvalidUUIDError,
    LinkError,
    LinkRaceError,
    MissingExtraError,
    NoAnswerError,
    NotConnectedError,
    NotOurServiceError,
    OwnIdentityError,
    PeerRefusedError,
    RadioError,
    SendQueueFull,
    UnknownDriverError,
)
from .exclusive_control import (
    ExclusiveControlManager,
    ExclusiveControlStatus,
    ExclusiveControlTimeoutError,
    OperationLock,
    ScanPasses,
    Turn,
    WaitEvents,
)
from .factory import available_drivers, create_driver, driver_class
from .interface import BLEDriverInterface
from .links import Link, Packet
from .notifications import NotificationManager, NotifyingClient, SubscribeError, Subscription
from .reconnect_policy import ReconnectPolicy
from .recovery import RecoveryStatus
from .status import DriverStatus, RadioStatus
from .tasks import within
from .types import BLEDevice, DriverState, Role
from .virtual_dispatcher import VirtualDispatcher
from .watchdog import Watchdog, WatchdogLevels

__all__ = [
    "ATT_HEADER",
    "DEFAULT_MTU",
    "IDENTITY_LENGTH",
    "MAX_FRAME",
    "MAX_MTU",
    "MAX_NAME",
    "AdapterLock",
    "AdapterLockError",
    "AddressType",
    "AsyncDispatcher",
    "BLEDevice",
    "BLEDriverError",
    "BLEDriverInterface",
    "BaseDriver",
    "ConnectCancelledError",
    "ConnectTimeoutError",
    "CoordinationClient",
    "DataTypeError",
    "Dispatcher",
    "DispatcherBlockedError",
    "DispatcherClosedError",
    "DriverState",
    "DriverStateError",
    "DriverStatus",
    "ExclusiveControlManager",
    "ExclusiveControlStatus",
    "ExclusiveControlTimeoutError",
    "FrameTooLargeError",
    "GattUUIDs",
    "InvalidAddressError",
    "InvalidFrameError",
    "InvalidIdentityError",
    "InvalidMTUError",
    "InvalidOptionError",
    "InvalidUUIDError",
    "Link",
    "LinkError",
    "LinkRaceError",
    "MissingExtraError",
    "NoAnswerError",
    "NotConnectedError",
    "NotOurServiceError",
    "NotificationManager",
    "NotifyingClient",
    "OperationLock",
    "OwnIdentityError",
    "Packet",
    "PeerRefusedError",
    "RadioError",
    "RadioStatus",
    "ReconnectPolicy",
    "RecoveryStatus",
    "Role",
    "ScanPasses",
    "SendQueueFull",
    "SubscribeError",
    "Subscription",
    "Timer",
    "Turn",
    "UnknownDriverError",
    "VirtualDispatcher",
    "WaitEvents",
    "Watchdog",
    "WatchdogLevels",
    "Worker",
    "address_to_int",
    "as_bytes",
    "available_drivers",
    "check_identity",
    "check_mtu",
    "check_seconds",
    "clamp_mtu",
    "create_driver",
    "driver_class",
    "frame_size",
    "normalise_address",
    "share_adapter",
    "within",
]
