"""Many runs at once: on all cores of this machine, or on those of a Dask cluster."""

from __future__ import annotations

import multiprocessing
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed

from ble_driver import MissingExtraError

from ..errors import BLEInterfaceError
from .mesh import simulate
from .outcome import Outcome
from .scenario import Scenario

#: Seconds that a scheduler may take to answer.
CLUSTER_TIMEOUT = 10.0

Ready = Callable[[float], object]


class ClusterError(BLEInterfaceError, ConnectionError):
    """The Dask cluster cannot be reached, or its workers cannot do the work."""


def sweep(scenarios: Sequence[Scenario], ready: Ready) -> list[Outcome]:
    """Run scenarios on all cores, and return their outcomes in the same order.

    Args:
        scenarios: what to run.
        ready: called with the share that is done, from 0 to 1.
    """
    with ProcessPoolExecutor() as pool:
        try:
            futures = [pool.submit(simulate, scenario) for scenario in scenarios]
            for done, _ in enumerate(as_completed(futures), 1):
                ready(done / len(futures))
        except BaseException:
            # Interrupted: a run may last for minutes yet, and nobody wants it any more.
            pool.shutdown(wait=False, cancel_futures=True)
            for worker in multiprocessing.active_children():
                worker.terminate()
            raise
        return [future.result() for future in futures]


def sweep_on_cluster(address: str, scenarios: Sequence[Scenario], ready: Ready) -> list[Outcome]:
    """Run scenarios on an existing Dask cluster, whose workers must have this package.

    Args:
        address: of the scheduler, such as ``tcp://192.168.1.5:8786``.
        scenarios: what to run.
        ready: called with the share that is done, from 0 to 1.

    Raises:
        MissingExtraError: the library is not installed.
        ClusterError: there is no scheduler at that address, or a worker failed.
    """
    try:
        import distributed
    except ImportError as error:
        raise MissingExtraError(f"--dask needs distributed: pip install 'ble-interface[dask]' ({error})") from None
    try:
        client = distributed.Client(address, timeout=CLUSTER_TIMEOUT)
    except (OSError, ValueError) as error:
        raise ClusterError(f"no Dask scheduler answers at {address}: {error}") from None
    with client:
        futures = client.map(simulate, scenarios, pure=False)
        try:
            for done, _ in enumerate(distributed.as_completed(futures), 1):
                ready(done / len(futures))
            outcomes: list[Outcome] = client.gather(futures)
        except ImportError as error:
            raise ClusterError(f"the workers of {address} lack ble-interface: install it there ({error})") from None
        except BaseException:
            client.cancel(futures)
            raise
    return outcomes
