"""Celery workers as people run them: late acknowledgement, ETA, retries, chords, priorities, remote control."""

import time
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Final

import pytest
from celery import chain, chord, group
from celery.exceptions import TaskRevokedError

from interop.broker import Endpoint
from interop.tasks.worker import Worker

LIMIT_S: Final = 10.0  # for a result; only a failing test waits so long
POLL_S: Final = 0.02


def wait_until(condition: Callable[[], Any], what: str) -> Any:
    """Return the condition's first true value."""
    give_up = time.monotonic() + LIMIT_S
    while not (value := condition()):
        assert time.monotonic() < give_up, what
        time.sleep(POLL_S)
    return value


def result_of(answer: Any) -> Any:
    return answer.get(timeout=LIMIT_S, interval=POLL_S)


@pytest.fixture(scope="module")
def threads(endpoint: Endpoint, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Worker]:
    """A worker with two threads whose results come back as messages."""
    worker = Worker(
        endpoint, tmp_path_factory.mktemp("threads"), f"celery-{uuid.uuid4().hex[:8]}", "--pool=threads", "-c", "2"
    )
    yield worker
    worker.close()


@pytest.fixture(scope="module")
def prefork(endpoint: Endpoint, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Worker]:
    """A worker with two processes whose results are files, so that chords can be joined."""
    folder = tmp_path_factory.mktemp("prefork")
    (folder / "results").mkdir()
    worker = Worker(
        endpoint,
        folder,
        f"celery-{uuid.uuid4().hex[:8]}",
        "--pool=prefork",
        "-c",
        "2",
        backend=f"file://{folder / 'results'}",
    )
    yield worker
    worker.close()


def test_results_come_back_as_messages(threads: Worker) -> None:
    answers = [threads.send("add", number, 1) for number in range(30)]
    assert [result_of(answer) for answer in answers] == list(range(1, 31))


def test_an_exception_comes_back(threads: Worker) -> None:
    with pytest.raises(ValueError, match="no way"):
        result_of(threads.send("fail", "no way"))


def test_a_task_is_tried_again(threads: Worker) -> None:
    assert result_of(threads.send("flaky", 3)) == 3


def test_a_chain_and_a_group(threads: Worker) -> None:
    add = threads.app.tasks["interop.add"]
    assert result_of(chain(add.s(1, 2), add.s(3), add.s(4)).apply_async()) == 10
    together = group([add.s(number, number) for number in range(5)], app=threads.app)
    assert result_of(together.apply_async()) == [0, 2, 4, 6, 8]


def test_a_task_waits_for_its_time(threads: Worker) -> None:
    begun = time.time()
    late = threads.send("moment", countdown=0.4)
    assert begun + 0.4 <= result_of(late) < begun + LIMIT_S


def test_tasks_that_wait_raise_the_prefetch_and_let_others_pass(threads: Worker) -> None:
    """More tasks with an ETA than the prefetch allows: the worker raises its prefetch so that it still gets others."""
    waiting = [threads.send("moment", countdown=1.5) for _ in range(10)]
    begun = time.time()
    # Asking also wakes a worker that has taken a delivery while it waited for the answer to its `basic.qos`.
    wait_until(lambda: len(threads.inspect().scheduled()[threads.node]) == 10, "the prefetch is not raised")
    assert result_of(threads.send("moment")) < begun + 1.4
    assert all(result_of(answer) >= begun + 1.2 for answer in waiting)
    assert result_of(threads.send("add", 1, 1)) == 2


def test_a_revoked_task_does_not_run(threads: Worker) -> None:
    answer = threads.send("moment", countdown=0.4)
    threads.app.control.revoke(answer.id, destination=[threads.node], reply=True, timeout=LIMIT_S, limit=1)
    with pytest.raises(TaskRevokedError):
        result_of(answer)
    assert answer.id in threads.inspect().revoked()[threads.node]


def test_an_expired_task_does_not_run(threads: Worker) -> None:
    with pytest.raises(TaskRevokedError):
        result_of(threads.send("moment", countdown=0.3, expires=0.05))


def test_a_worker_answers_questions(threads: Worker) -> None:
    ask = threads.inspect()
    assert ask.ping() == {threads.node: {"ok": "pong"}}
    assert "interop.add" in ask.registered()[threads.node]
    stats = ask.stats()[threads.node]
    assert stats["broker"]["transport"] == "amqp"
    assert stats["prefetch_count"] == 2
    (queue,) = ask.active_queues()[threads.node]
    assert queue["name"] == threads.app.conf.task_default_queue
    everybody = threads.app.control.ping(timeout=LIMIT_S, limit=1)
    assert {threads.node: {"ok": "pong"}} in everybody


def test_a_worker_can_be_told_to_consume_another_queue(threads: Worker, name: str) -> None:
    control: dict[str, Any] = {"destination": [threads.node], "reply": True, "timeout": LIMIT_S, "limit": 1}
    threads.app.control.add_consumer(name, **control)
    assert result_of(threads.send("add", 20, 1, queue=name)) == 21
    threads.app.control.cancel_consumer(name, **control)
    queues = threads.inspect().active_queues()[threads.node]
    assert [queue["name"] for queue in queues] == [threads.app.conf.task_default_queue]


def test_events_tell_what_happens(threads: Worker) -> None:
    seen: list[str] = []
    with threads.app.connection_for_read() as connection:
        receiver = threads.app.events.Receiver(connection, handlers={"*": lambda event: seen.append(event["type"])})
        with receiver.consumer_context() as (listening, _channel, _consumers):
            assert result_of(threads.send("add", 1, 2)) == 3
            while not {"task-sent", "task-succeeded"} <= set(seen):
                listening.drain_events(timeout=LIMIT_S)
    of_the_worker = ["task-received", "task-started", "task-succeeded"]  # task-sent comes by another connection
    assert [kind for kind in seen if kind in of_the_worker] == of_the_worker


def test_high_priorities_overtake(endpoint: Endpoint, tmp_path: Path, name: str) -> None:
    worker = Worker(endpoint, tmp_path, name, "--pool=solo", "-c", "1")
    try:
        gate, notes = tmp_path / "gate", tmp_path / "notes"
        answers = [worker.send("hold", str(gate), priority=10)]
        wait_until(lambda: answers[0].state == "STARTED", "the worker is not busy")
        answers += [worker.send("note", str(notes), f"{n}", priority=n) for n in (0, 9, 5, 1)]
        gate.touch()
        for answer in answers:
            result_of(answer)
        assert notes.read_text().split() == ["9", "5", "1", "0"]
    finally:
        worker.close()


def test_a_chord_is_joined(prefork: Worker) -> None:
    add, total = prefork.app.tasks["interop.add"], prefork.app.tasks["interop.total"]
    joined = chord((add.s(number, number) for number in range(8)), app=prefork.app)(total.s())
    assert result_of(joined) == sum(2 * number for number in range(8))


def test_a_chord_is_joined_in_the_memory_of_a_worker(endpoint: Endpoint, tmp_path: Path, name: str) -> None:
    """The in-memory backend knows only what happens in its own process, so the chord begins and ends in the worker."""
    worker = Worker(endpoint, tmp_path, name, "--pool=threads", "-c", "2", backend="cache+memory://")
    try:
        path = tmp_path / "sum"
        worker.send("spread", list(range(8)), str(path))
        wait_until(path.exists, "the chord is not joined")
        assert path.read_text() == str(sum(2 * number for number in range(8)))
    finally:
        worker.close()


def test_a_task_whose_process_dies_is_delivered_again(prefork: Worker) -> None:
    assert result_of(prefork.send("die")) is True


def test_a_running_task_can_be_terminated(prefork: Worker, tmp_path: Path) -> None:
    answer = prefork.send("hold", str(tmp_path / "never"))
    wait_until(lambda: answer.state == "STARTED", "the task does not start")
    prefork.app.control.revoke(answer.id, destination=[prefork.node], terminate=True, signal="SIGKILL")
    with pytest.raises(TaskRevokedError):
        result_of(answer)
    assert result_of(prefork.send("add", 1, 1)) == 2


def test_a_worker_whose_machine_dies_leaves_its_tasks_to_another(endpoint: Endpoint, tmp_path: Path, name: str) -> None:
    """Late acknowledgement: what a killed worker had taken goes to the next one."""
    (tmp_path / "results").mkdir()
    backend = f"file://{tmp_path / 'results'}"
    gate = tmp_path / "gate"
    first = Worker(endpoint, tmp_path, name, "--pool=solo", backend=backend)
    try:
        answer = first.send("hold", str(gate))
        wait_until(lambda: answer.state == "STARTED", "the task does not start")
        first.kill()
        gate.touch()
        second = Worker(endpoint, tmp_path, name, "--pool=solo", backend=backend)
        try:
            result_of(answer)
            assert answer.state == "SUCCESS"
            second.app.control.shutdown(destination=[second.node])
            assert second.wait_for_exit() == 0
        finally:
            second.close()
    finally:
        first.close()


def test_quorum_queues_delay_tasks_in_the_broker(endpoint: Endpoint, tmp_path: Path, name: str) -> None:
    """Celery's native delayed delivery: a ladder of queues with a time to live each that die into the next."""
    worker = Worker(endpoint, tmp_path, name, "--pool=solo", queue_type="quorum")
    try:
        assert result_of(worker.send("add", 1, 2)) == 3
        begun = time.time()
        late = worker.send("moment", countdown=1)
        assert result_of(worker.send("moment")) < begun + 1
        assert result_of(late) >= begun + 0.9
    finally:
        worker.close()
