"""A radio without hardware: virtual Bluetooth LE controllers that share one air, served over TCP.

``python -m drivers.bumble_driver.radio`` listens on one loopback port. Every TCP connection is one fresh controller
that speaks HCI in H4 framing, so a host is whatever can open a socket: a bumble ``Host``, or a Linux kernel in a
virtual machine whose virtio-serial port is wired to it. In a test, the same thing runs in process::

    server = RadioServer(port=0)
    await server.start()
    ...  # connect hosts to 127.0.0.1, server.port
    await server.close()

What is modelled, because a mesh depends on it:

- Legacy advertising at its real interval (units of 0.625 ms plus 0 to 10 ms of random delay), scan responses for active
  scanners only, duplicate filtering, the filter accept list for scanning and initiating.
- Connections that exist on both ends or not at all. One is made only when the initiator hears a connectable
  advertisement, and never twice between the same two addresses. Cancelling an attempt cancels it.
- A host that dies or resets falls silent at once; its peers notice when the link's own supervision timeout has passed.
  Until then they cannot tell, and a connection from the same address has to wait, as on a real radio.
- Flow control: 64 packets of at most 251 bytes are outstanding per controller. They complete when the receiving host
  takes them, so a stopped process stalls its senders instead of filling this one's memory. A stalled peer may hold all
  64 of a sender's buffers, and then the sender's other links wait as well: real controllers do the same.
- Public and random addresses, told apart. Two controllers that use one random address are two transmitters of it: a
  central reaches the one it hears first.

What is not modelled: extended and periodic advertising, directed advertising, LL privacy, PHYs other than 1M, classic
Bluetooth, isochronous channels; collisions, loss, range (``Air.rssi`` is a constant to override), the scan window, the
connection interval (data arrives at once) and the number of links a controller can hold. Encryption is negotiated and
reported, but data on the virtual air is never enciphered. Event masks are accepted and ignored.
"""

from .air import Air
from .controller import RadioController
from .server import RadioServer

__all__ = ["Air", "RadioController", "RadioServer"]
