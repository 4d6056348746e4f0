"""What the generator was asked for, and the two ways to answer: a rate in a closed loop, latencies at a fixed rate.

Every run uses names of its own (`run`), so that nothing a former run left in the broker can reach it.
"""

from collections.abc import Callable

from bench.load.link import Drain, Source, WorkError
from bench.load.loop import Figures, Timing, closed_loop, fixed_rate


class Order:
    """What the generator was asked for."""

    def __init__(self, ports: dict[str, int], run: str, broker_pid: int, seconds: float, warmup_s: float) -> None:
        self.ports = ports  # of the broker, by protocol
        self.run = run
        self.broker_pid = broker_pid
        self.seconds = seconds
        self.warmup_s = warmup_s
        self.size_bytes: int = 256
        self.window: int = 2_000  # publications under way
        self.rate: int = 5_000  # messages a second, at a fixed rate
        self.subscribers: int = 100
        self.consumers: int = 100  # of one queue
        self.publishers: int = 1_000
        self.connections: int = 10_000
        self.queues: int = 20  # of one exchange
        self.keys: int = 1  # different ones that are published, in turn
        self.visitors: int = 5_000  # clients that come, subscribe and go
        self.retained: int = 10_000  # messages
        self.messages: int = 1_000_000  # of a backlog
        self.others: int = 0  # bindings, subscriptions or selectors beside the measured one, which never match

    def timing(self) -> Timing:
        return Timing(self.warmup_s, self.seconds, self.broker_pid)

    def change(self, name: str, value: int) -> None:
        """Set a number that the item names, instead of the default."""
        if not hasattr(self, name):
            raise WorkError(f"no number {name!r} in an order")
        setattr(self, name, value)


Work = Callable[[Order], dict[str, float]]  # of one item: its figures by name; `value` is the one for the table


def closed(source: Source, drains: list[Drain], order: Order, *, competing: bool = False) -> dict[str, float]:
    """Keep the order's window under way and return the rate of deliveries. `competing`: each message has one drain."""
    return rates(closed_loop(source, drains, order.window, order.timing(), competing=competing))


def paced(source: Source, drain: Drain, order: Order) -> dict[str, float]:
    """Publish at the order's rate and return the latencies."""
    figures = fixed_rate(source, drain, order.rate, order.timing())
    return latencies(figures, drain.latencies)


def rates(figures: Figures) -> dict[str, float]:
    found = {
        "value": figures.messages / figures.seconds,
        "lost": figures.lost,
        "generator_busy": figures.generator_cpu_s / figures.seconds,
        "broker_busy": figures.broker_cpu_s / figures.seconds,
    }
    if figures.broker_cpu_s:
        found["per_cpu_s"] = figures.messages / figures.broker_cpu_s
    return found


def latencies(figures: Figures, samples: list[int]) -> dict[str, float]:
    """Return percentiles in milliseconds; p99 is the one for the table."""
    result = rates(figures)
    result["rate"] = result["value"]
    if not samples:
        raise WorkError("nothing arrived in the measured time")
    ordered = sorted(samples)
    for name, share in (("p50_ms", 0.5), ("p99_ms", 0.99), ("p999_ms", 0.999)):
        result[name] = ordered[min(len(ordered) - 1, int(len(ordered) * share))] / 1e6
    result["max_ms"] = ordered[-1] / 1e6
    result["value"] = result["p99_ms"]
    return result
