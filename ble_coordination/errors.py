"""Every error of the coordination service and its client, each with a name of its own.

Each message says what was wrong and what to change. An error that the service answers with has a `code`, which is what
programs compare, and an HTTP `status`.
"""

from __future__ import annotations


class CoordinationError(Exception):
    """Base of all errors of this package."""

    code = "coordination_error"
    status = 500


# --- what the caller got wrong ----------------------------------------------------------------------------------------


class InvalidRequestError(CoordinationError, ValueError):
    """A request with a field that is missing, unknown, or has a value that it cannot have."""

    code, status = "invalid_request", 422


class InvalidJSONError(CoordinationError, ValueError):
    """A body that is not JSON in UTF-8, or is nested too deep."""

    code, status = "invalid_json", 400


class BodyTooLargeError(CoordinationError):
    """A body longer than the service takes."""

    code, status = "body_too_large", 413


class BodyTimeoutError(CoordinationError, TimeoutError):
    """A body that did not arrive in time."""

    code, status = "body_timeout", 408


class MediaTypeError(CoordinationError):
    """A body that does not say that it is JSON."""

    code, status = "media_type", 415


class UnauthorizedError(CoordinationError, PermissionError):
    """The bearer token is missing or is not the service's."""

    code, status = "unauthorized", 401


class NotLoopbackError(CoordinationError, PermissionError):
    """A peer on another host, while the service has no token."""

    code, status = "not_loopback", 403


class ForeignOriginError(CoordinationError, PermissionError):
    """A request that a page of another site made a browser send, or that goes by a name that is not this host's."""

    code, status = "foreign_origin", 403


class SettingError(CoordinationError, ValueError):
    """A setting of the service or of the client that cannot be used."""

    code = "setting"


# --- what the bounds forbid -------------------------------------------------------------------------------------------


class TooManyDevicesError(CoordinationError):
    """As many devices are locked or waited for as the service keeps."""

    code, status = "too_many_devices", 429


class TooManyWaitersError(CoordinationError):
    """As many requests wait for one device as may."""

    code, status = "too_many_waiters", 429


class TooManySocketsError(CoordinationError):
    """As many WebSockets are open as may be."""

    code, status = "too_many_sockets", 429


# --- what the state of things forbids ---------------------------------------------------------------------------------


class StoreUnavailableError(CoordinationError, ConnectionError):
    """The store does not answer. Whether a change was made is not known."""

    code, status = "store_unavailable", 503


class StoreFormatError(CoordinationError):
    """The store holds something that this version cannot read."""

    code, status = "store_format", 503


# --- what a client meets ----------------------------------------------------------------------------------------------


class ServiceUnavailableError(CoordinationError, ConnectionError):
    """The service does not answer. Whether it did what it was asked is not known."""

    code = "service_unavailable"


class ServiceRefusalError(CoordinationError):
    """The service answered with an error.

    Attributes:
        code: the service's name for it, such as ``too_many_waiters``.
        status: the HTTP status.
    """

    def __init__(self, message: str, code: str, status: int) -> None:
        super().__init__(message)
        self.code = code
        self.status = status


class LockRefusedError(CoordinationError):
    """The lock was not granted."""

    code = "refused"


class LockLostError(CoordinationError):
    """The lock is held no longer: it was overridden, force-released, or its lease ran out."""

    code = "lost"


class LeaseLapsedError(LockLostError):
    """The lock is given up because the service did not answer before the lease was over."""
