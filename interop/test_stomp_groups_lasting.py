"""Message groups of a queue that outlives the broker's process: stomp.py on both sides of a broker that is killed, or stopped."""

import os
from pathlib import Path

import pytest

from interop.broker import BrokerProcess, lasting_ports
from interop.clients import StompPyDriver

pytestmark = pytest.mark.skipif(bool(os.environ.get("DRAGOMAN_HOST")), reason="a broker of somebody else is not killed")

COUNT = 20  # messages, of two groups in turn


@pytest.mark.parametrize("in_order", [True, False], ids=["stopped", "killed"])
def test_a_queue_has_its_groups_after_a_start_before_anybody_sends_to_one(tmp_path: Path, in_order: bool) -> None:
    settings = f'[store]\ndirectory = "{tmp_path / "store"}"\n'
    ports = lasting_ports()
    broker = BrokerProcess(tmp_path, first=settings, ports=ports)
    try:
        sender = StompPyDriver(broker.endpoint)
        for index in range(COUNT):
            group = "odd" if index % 2 else "even"
            sender.send("/queue/groups", b"%d" % index, {"JMSXGroupID": group, "persistent": "true"})
        if in_order:
            assert broker.stop() == 0, broker.log
        else:
            broker.kill()
        broker = BrokerProcess(tmp_path, first=settings, ports=ports)
        consumers = [StompPyDriver(broker.endpoint), StompPyDriver(broker.endpoint)]
        # The first may have one message only, and with that its group; all others would be the second one's without groups.
        consumers[0].subscribe_destination("/queue/groups", "client-individual", **{"prefetch-count": "1"})
        assert consumers[0].receive().body == b"0"
        number = consumers[1].subscribe_destination("/queue/groups", "client-individual", **{"prefetch-count": "100"})
        heard = [int(consumers[1].receive().body) for _ in range(COUNT // 2)]
        assert heard == list(range(1, COUNT, 2))
        consumers[1].unsubscribe(number)
        assert consumers[1].inbox.empty()
        for consumer in consumers:
            consumer.close()
        assert broker.stop() == 0, broker.log
        assert "Traceback" not in broker.log, broker.log
    finally:
        broker.kill()
