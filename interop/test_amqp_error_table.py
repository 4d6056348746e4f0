"""Every mistake of interop/mistakes, and the answer: RabbitMQ's code, words, class and method, channel or connection.

The expected answers are in tests/vectors/amqp/errors.toml, with the reason beside each that is not RabbitMQ's.
"""

from collections.abc import Iterator
from typing import Any, Final

import pika.exceptions
import pytest

from interop.broker import BrokerProcess, Endpoint
from interop.clients.pika_client import connect
from interop.mistakes import CASES, permissions
from interop.mistakes.case import Case, outcome_of
from interop.record_amqp_errors import recorded

RECORDED: Final = recorded()


def expected(name: str) -> dict[str, Any]:
    """Return what we answer: what RabbitMQ does, unless the vector says otherwise."""
    row = RECORDED[name]
    answer: dict[str, Any] = row.get("ours", row["answer"])
    return answer


@pytest.fixture(scope="module")
def guarded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Endpoint]:
    """A broker of our own that knows users who may not do everything."""
    broker = BrokerProcess(tmp_path_factory.mktemp("guarded"), permissions.USERS)
    try:
        yield broker.endpoint
        assert broker.stop() == 0, broker.log
        assert "Traceback" not in broker.log, broker.log
    finally:
        broker.kill()


def cases(*, by_others: bool) -> pytest.MarkDecorator:
    chosen = [case for case in CASES if bool(case.user) == by_others]
    return pytest.mark.parametrize("case", chosen, ids=[case.name.replace(" ", "-") for case in chosen])


@cases(by_others=False)
def test_a_mistake_is_answered_as_recorded(endpoint: Endpoint, name: str, case: Case) -> None:
    assert outcome_of(case, endpoint, name).stated() == expected(case.name)


@cases(by_others=True)
def test_what_a_user_may_not_do_is_refused_as_recorded(guarded: Endpoint, name: str, case: Case) -> None:
    assert outcome_of(case, guarded, name).stated() == expected(case.name)


def test_a_queue_that_the_broker_named_cannot_be_declared_by_that_name(endpoint: Endpoint) -> None:
    connection = connect(endpoint)
    queue = connection.channel().queue_declare("", exclusive=True).method.queue
    with pytest.raises(pika.exceptions.ChannelClosedByBroker) as failure:
        connection.channel().queue_declare(queue, exclusive=True)
    assert failure.value.reply_code == 403
    assert failure.value.reply_text == f"ACCESS_REFUSED - queue name '{queue}' contains reserved prefix 'amq.*'"
    assert connection.channel().queue_declare(queue, passive=True).method.queue == queue
    connection.close()


def test_each_mistake_has_one_vector() -> None:
    names = [case.name for case in CASES]
    assert len(names) == len(set(names))
    assert set(names) == set(RECORDED)


def test_each_difference_has_a_reason() -> None:
    for row in RECORDED.values():
        assert ("ours" in row) == bool(row.get("because"))
        assert row.get("ours") != row["answer"]
