"""An item is compared with its peer or, where it names one, with another item of ours."""

from pathlib import Path
from typing import Any

import pytest

from bench.items import ITEMS, Item, Row, groups, rate, rates
from bench.load.link import WorkError
from bench.load.order import Order
from bench.load.work import WORK
from bench.peers.broker import Broker
from bench.runner import Result, Runner, Settings
from bench.table import lines, notes

PLAIN = Item("plain", rate("few bindings"), ("ours", "rabbitmq"))
LADEN = Item("laden", rate("many bindings", 0.9), ("ours", "rabbitmq"), against="plain")


def result(*values: float) -> Result:
    return Result([{"value": value} for value in values])


FOUND = [
    (PLAIN, {"ours": result(900, 1_000, 1_100), "rabbitmq": result(200)}),
    (LADEN, {"ours": result(950), "rabbitmq": result(50)}),
]


def cells(line: str) -> list[str]:
    return [cell.strip() for cell in line.strip("|").split("|")]


def test_the_ratio_is_of_the_median_of_ours_with_the_peer() -> None:
    assert cells(lines(FOUND, ["ours", "rabbitmq"])[2])[-5:] == ["1,000", "200", "5.00", "", ""]


def test_an_item_against_another_has_the_ratio_of_ours_with_ours() -> None:
    assert cells(lines(FOUND, ["ours", "rabbitmq"])[3])[-5:] == ["950", "50.00", "0.95", "0.9 x plain", ""]


def test_what_a_peer_loses_stands_below_the_table() -> None:
    assert notes(FOUND) == ["laden on rabbitmq: 0.25 x plain"]


def test_an_item_without_its_base_has_no_ratio() -> None:
    assert cells(lines(FOUND[1:], ["ours", "rabbitmq"])[2])[-3:] == ["", "0.9 x plain", ""]
    assert notes(FOUND[1:]) == []


def test_a_row_may_name_its_own_peer() -> None:
    item = Item("two", rates("two peers", {"a": 8.0, "b": 5.0}), ("ours", "a", "b", "c"))
    found = [(item, {"ours": result(1_000), "a": result(100), "b": result(250)})]
    table = lines(found, ["ours", "a", "b"])
    assert [cells(line)[-3:-1] for line in table[2:]] == [["10.00", "8 x a"], ["4.00", "5 x b"]]


def test_the_work_for_a_second_of_the_processor_has_a_ratio_of_its_own() -> None:
    def taken(value: float, per_cpu_s: float) -> Result:
        return Result([{"value": value, "per_cpu_s": per_cpu_s}])

    found = [
        (PLAIN, {"ours": taken(1_000, 4_000), "rabbitmq": taken(500, 400)}),
        (LADEN, {"ours": taken(600, 3_000), "rabbitmq": taken(500, 400)}),
    ]
    assert [cells(line)[-3:] for line in lines(found, ["ours", "rabbitmq"])[2:]] == [
        ["2.00", "", "10.00"],
        ["0.60", "0.9 x plain", "0.75"],
    ]


def test_the_peers_of_all_rows_take_part() -> None:
    item = Item("two", rates("two peers", {"a": 8.0, "b": 5.0}), ("ours", "a", "b", "c"))
    runner = Told(["ours", "a", "b", "c"])
    runner.run([item])
    assert runner.asked == [("two", "ours"), ("two", "a"), ("two", "b")] * 2


def test_an_item_is_compared_with_one_before_it_that_has_the_same_figures() -> None:
    before: dict[str, Item] = {}
    for item in ITEMS:
        if item.against:
            assert [row.figure for row in item.rows] == [row.figure for row in before[item.against].rows]
            assert not before[item.against].against
        before[item.name] = item


@pytest.mark.parametrize("item", [item for item in ITEMS if item.against], ids=lambda item: item.name)
def test_choosing_an_item_chooses_the_one_it_is_compared_with(item: Item) -> None:
    assert [[one.name for one in group] for group in groups([item.name])] == [[item.against, item.name]]


def test_every_item_is_in_one_group() -> None:
    assert sorted(item.name for group in groups([]) for item in group) == sorted(item.name for item in ITEMS)


@pytest.mark.parametrize("item", ITEMS, ids=lambda item: item.name)
def test_the_generator_knows_the_work_and_the_numbers_of_every_item(item: Item) -> None:
    assert item.order in WORK
    assert not item.after or item.after in WORK
    order = Order({}, "run", 0, 1.0, 0.0)
    for name, value in item.numbers.items():
        order.change(name, value)
        assert getattr(order, name) == value


def test_a_number_that_the_generator_does_not_know_is_refused() -> None:
    with pytest.raises(WorkError, match="no number 'widow'"):
        Order({}, "run", 0, 1.0, 0.0).change("widow", 1)


class NoBroker(Broker):
    """A broker without a process."""

    protocols = ("amqp",)

    def __init__(self, name: str) -> None:
        super().__init__()
        self.name = name

    def missing(self) -> str:
        return ""

    def version(self) -> str:
        return ""

    def prepare(self) -> tuple[list[str], dict[str, str]]:
        raise AssertionError("it is never started")

    def running(self) -> bool:
        return True


class Told(Runner):
    """A runner whose generator only notes what it was asked for."""

    def __init__(self, names: list[str]) -> None:
        super().__init__({name: NoBroker(name) for name in names}, Settings(2, 1.0, 0.0, 100, 10, False), Path())
        self.asked: list[tuple[str, str]] = []

    def _generate(self, item: Item, broker: Broker, seconds: float, *, again: bool = False) -> dict[str, Any]:
        self.asked.append((item.name, broker.name))
        return {"value": float(len(self.asked))}


def test_a_group_runs_in_alternation_of_its_items_and_brokers() -> None:
    runner = Told(["ours", "rabbitmq"])
    found = runner.run([PLAIN, LADEN])
    once = [("plain", "ours"), ("plain", "rabbitmq"), ("laden", "ours"), ("laden", "rabbitmq")]
    assert runner.asked == once + once
    assert [run["value"] for run in found[1][1]["ours"].runs] == [3.0, 7.0]


def test_an_item_that_ours_does_alone_has_figures_to_reach_and_no_ratio() -> None:
    rows = (Row("shared", "per_sync", "messages", least=10.0), Row("start", "start_s", "s", limit=3.0))
    item = Item("alone", rows, ("ours",))
    table = lines([(item, {"ours": Result([{"per_sync": 40.0, "start_s": 2.0}])})], ["ours", "rabbitmq"])
    assert [cells(line)[2:] for line in table[2:]] == [
        ["40.00", "-", "", ">= 10 messages", ""],
        ["2.00", "-", "", "< 3 s", ""],
    ]


class Restarted(NoBroker):
    """A broker that is stopped and started between two works."""

    def restart(self) -> float:
        return 1.5


def test_an_item_may_go_on_after_the_broker_was_started_again() -> None:
    runner = Told(["ours"])
    runner.brokers["ours"] = Restarted("ours")
    item = Item("fill", (Row("start", "start_s", "s"), Row("drained")), ("ours",), after="drain")
    [(_, found)] = runner.run([item])
    assert runner.asked == [("fill", "ours"), ("fill", "ours")] * 2
    assert found["ours"].runs == [{"value": 2.0, "start_s": 1.5}, {"value": 4.0, "start_s": 1.5}]
