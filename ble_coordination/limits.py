"""The bounds of the service, in one place. They are generous for a hundred adapters and small for a host's memory."""

from __future__ import annotations

#: Characters of a device name, of a user id or plan id, and of a reason.
MAX_DEVICE_NAME, MAX_ID, MAX_REASON = 64, 128, 256
#: Seconds of a lease: shorter is lost to scheduling, longer is a lock that nobody may still hold.
MIN_LEASE, MAX_LEASE, DEFAULT_LEASE = 0.1, 86_400.0, 30.0
#: Seconds that one request may wait. Whoever wants to wait longer asks again.
MAX_WAIT = 300.0

#: Devices that are locked or waited for at once. One that is free takes no place.
MAX_DEVICES = 256
#: Requests that wait for one device.
MAX_WAITERS = 32
#: Seconds after which a waiting request is dropped that its service instance has not confirmed, because that is gone;
#: and the seconds between two confirmations.
WAITER_TTL, WAITER_CONFIRMED_EVERY = 12.0, 4.0

#: Bytes of a body, and levels of nesting in it. The longest sensible request has 1 KiB and one level.
MAX_BODY, MAX_DEPTH = 16_384, 8
#: Seconds in which a body, or the first request on a connection, has to arrive.
BODY_TIMEOUT, FIRST_REQUEST_TIMEOUT = 10.0, 10.0
#: Connections at once, those of WebSockets among them. Each waiting request is one.
MAX_CONNECTIONS = 768
#: WebSockets at once; bytes of a message to the service; bytes that wait for one reader before it is cut off.
MAX_SOCKETS, MAX_SOCKET_MESSAGE, MAX_SOCKET_BACKLOG = 128, 4096, 1_048_576
#: Seconds for which a peer may leave what it was sent unacknowledged before the kernel ends the connection.
UNACKNOWLEDGED_TIMEOUT = 15.0

#: Changes that a store keeps for instances that missed them, and happenings that it keeps for people.
FEED_LENGTH, HISTORY_LENGTH = 1000, 200
