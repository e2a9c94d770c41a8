"""Mock radios, on virtual and on real time: the one kind of radio that offers all that the suite can ask for."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ble_driver import RadioError, VirtualDispatcher
from ble_testing.contract import FaultName, Node, RealTimeRig, Rig, StepName, VirtualTimeRig
from drivers.mock_ble_driver import Fault, MockBLEDriver, Step, VirtualAir


class SwitchedMockDriver(MockBLEDriver):
    """A mock radio with a switch."""

    off = False

    async def _open_radio(self) -> None:
        if self.off:
            raise RadioError("the radio is switched off")
        await super()._open_radio()

    def switch(self, off: bool) -> None:
        self.off = off
        if off:
            self.vanish()
            self._report_radio_lost(RadioError("the radio was switched off"))


class MockRig(Rig):
    """What both have in common: drivers on one air, which does whatever it is told."""

    air: VirtualAir
    mtu = 517
    driver_type: type[SwitchedMockDriver] = SwitchedMockDriver

    def make_driver(self, **options: Any) -> MockBLEDriver:
        return self.driver_type(self.air, **options)

    def _do(self, function: Callable[..., object], *args: object) -> None:
        self.air.dispatcher.call_soon(function, *args)

    def vanish(self, node: Node) -> None:
        self._do(_mock(node).vanish)

    def strike(self, fault: FaultName, step: StepName, node: Node) -> None:
        # The subscription is what a peripheral learns of a link by: the worst is what strikes just after it.
        place = Step.SUBSCRIBED if step == "subscribe" else Step(step)
        self.air.faults.add(Fault(fault), place, address=node.address)

    def heal(self) -> None:
        self.air.faults.clear()

    def radio_off(self, node: Node) -> None:
        if node.stopped:
            _mock(node).off = True
        else:
            self._do(_mock(node).switch, True)

    def radio_on(self, node: Node) -> None:
        self._do(_mock(node).switch, False)

    def change_mtu(self, node: Node, peer: Node, mtu: int) -> None:
        for one, other in ((node, peer), (peer, node)):
            driver = _mock(one)
            self._do(driver._report_mtu, driver._links[other.address], mtu)


def _mock(node: Node) -> SwitchedMockDriver:
    assert isinstance(node.driver, SwitchedMockDriver)
    return node.driver


class VirtualMockRig(MockRig, VirtualTimeRig):
    """Mock radios on virtual time."""

    def __init__(self) -> None:
        super().__init__()
        self.dispatcher: VirtualDispatcher
        self.air = VirtualAir(self.dispatcher)


class RealMockRig(MockRig, RealTimeRig):
    """Mock radios on real time: the same code with threads in it."""

    def __init__(self) -> None:
        super().__init__()
        self.air = VirtualAir(advertising_interval=0.02, connect_delay=0.01, frame_time=0.0005)
