"""Data from one host to the other: ACL packets, the buffers that hold them, and a host that falls behind."""

from __future__ import annotations

import asyncio
import struct

from .air import Air
from .h4 import ACL_DATA, EVENT, ProtocolError
from .link import RadioConnection
from .linking import Linking

ACL_LENGTH = 251
"""The longest LE data PDU (Vol 6, Part B, section 2.4), so a host packet is one packet on the air."""

ACL_BUFFERS = 64

_ACL_HEADER = 5
"""Bytes before the payload: packet indicator, handle with flags, length (Vol 4, Part E, section 5.4.2)."""

_CONTINUATION, _FIRST, _COMPLETE = 0b01, 0b10, 0b11
"""Packet boundary flags (section 5.4.2). From a controller a start is always 0b10; 0b11 is not for LE."""

_NUMBER_OF_COMPLETED_PACKETS = 0x13


class Forwarding(Linking):
    """Carries data over the links, and gives a buffer back when the other host has taken what was in it."""

    acl_data_packet_length = ACL_LENGTH
    total_num_acl_data_packets = ACL_BUFFERS
    le_acl_data_packet_length = ACL_LENGTH
    total_num_le_acl_data_packets = ACL_BUFFERS
    supported_max_tx_octets = ACL_LENGTH
    supported_max_tx_time = 2120
    supported_max_rx_octets = ACL_LENGTH
    supported_max_rx_time = 2120

    def __init__(self, air: Air) -> None:
        super().__init__(air)
        self._congested = False
        self._buffers_used = 0
        self._transmits_until = 0.0
        self._to_complete: dict[int, RadioConnection] = {}

    def set_congested(self, congested: bool) -> None:
        """While congested, peers get no buffers back for what they send here, and advertisements are not reported."""
        self._congested = congested
        if not congested:
            for link in self.links:
                if link.peer is not None:
                    link.peer.radio._complete_packets(link.peer)

    def _on_acl_data(self, packet: bytes) -> None:
        flags, length = struct.unpack_from("<HH", packet, 1)
        link = self._links.get(flags & 0x0FFF)
        if link is None:
            return  # sent before the host read that the link is down
        boundary = flags >> 12 & 0b11
        if boundary == _COMPLETE:
            raise ProtocolError("packet boundary flag 0b11 on an LE link")
        if self._buffers_used == ACL_BUFFERS:
            raise ProtocolError(f"more than {ACL_BUFFERS} packets outstanding")
        link.uncompleted += 1
        self._buffers_used += 1
        airtime = self.air.airtime(length)
        if not airtime:
            self._deliver(link, boundary, packet)
            return
        loop = asyncio.get_running_loop()
        self._transmits_until = max(self._transmits_until, loop.time()) + airtime  # one packet at a time
        link.on_air += 1
        loop.call_at(self._transmits_until, self._end_airtime, link, boundary, packet)

    def _end_airtime(self, link: RadioConnection, boundary: int, packet: bytes) -> None:
        link.on_air -= 1
        self._deliver(link, boundary, packet)

    def _deliver(self, link: RadioConnection, boundary: int, packet: bytes) -> None:
        peer = link.peer
        if peer is None:
            return  # nobody acknowledges any more
        length = len(packet) - _ACL_HEADER
        if length:
            start = _CONTINUATION if boundary == _CONTINUATION else _FIRST
            peer.radio._send(struct.pack("<BHH", ACL_DATA, start << 12 | peer.handle, length) + packet[_ACL_HEADER:])
        if not self._to_complete:
            asyncio.get_running_loop().call_soon(self._complete_touched)  # one event for what came in one read
        self._to_complete[link.handle] = link

    def _complete_touched(self) -> None:
        links, self._to_complete = self._to_complete, {}
        for link in links.values():
            self._complete_packets(link)

    def _complete_packets(self, link: RadioConnection) -> None:
        """Give the host its buffers back, unless the peer's host is behind (section 7.7.19)."""
        count = link.uncompleted - link.on_air
        if not count or link.peer is None or link.peer.radio._congested:
            return
        link.uncompleted -= count
        self._buffers_used -= count
        self._send(struct.pack("<BBBBHH", EVENT, _NUMBER_OF_COMPLETED_PACKETS, 5, 1, link.handle, count))

    def _remove(self, link: RadioConnection) -> bool:
        if not super()._remove(link):
            return False
        self._buffers_used -= link.uncompleted  # the host, too, counts them as flushed
        return True
