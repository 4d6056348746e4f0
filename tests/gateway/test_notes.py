"""The log belongs to the operator: so many lines about the mistakes of clients, and one that says that there are more."""

import structlog.testing

from gateway.notes import ALLOWED, FIRST_REFUSED, LINES_OF_ALL, LINES_OF_ONE, MORE, PERIOD_S, REFUSED, Notes, Throttle


def test_a_throttle_counts_anew_in_each_period() -> None:
    throttle = Throttle(2)
    assert [throttle.ask(100.0) for _ in range(5)] == [ALLOWED, ALLOWED, FIRST_REFUSED, REFUSED, REFUSED]
    assert throttle.ask(100.0 + PERIOD_S - 0.1) == REFUSED
    assert [throttle.ask(100.0 + PERIOD_S) for _ in range(3)] == [ALLOWED, ALLOWED, FIRST_REFUSED]


def test_one_connection_writes_so_many_lines_and_the_others_go_on() -> None:
    everybody = Throttle(LINES_OF_ALL)
    loud, quiet = Notes("1.2.3.4:5", everybody), Notes("1.2.3.4:6", everybody)
    with structlog.testing.capture_logs() as logs:
        for _ in range(10 * LINES_OF_ONE):
            loud.write(1.0, "amqp", "channel closed", "406")
        quiet.write(1.0, "amqp", "channel closed", "404")
    events = [entry["event"] for entry in logs if entry["peer"].endswith(":5")]
    assert events == ["channel closed"] * LINES_OF_ONE + [MORE]
    assert [entry["detail"] for entry in logs if entry["peer"].endswith(":6")] == ["404"]


def test_ten_thousand_connections_write_a_bounded_number_of_lines_together() -> None:
    everybody = Throttle(LINES_OF_ALL)
    with structlog.testing.capture_logs() as logs:
        for number in range(10_000):
            Notes(f"1.2.3.4:{number}", everybody).write(1.0, "mqtt", "login refused", "")
    assert len(logs) == LINES_OF_ALL + 1
    assert logs[-1]["event"] == MORE
