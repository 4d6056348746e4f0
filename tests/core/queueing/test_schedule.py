"""The schedule while the process dies: a job goes on where it was."""

from core.model.message import AT_LEAST_ONCE, Address, plain_message
from core.model.properties import Properties
from core.queueing.schedule import DELAY, JOB, PERIOD, REPEAT
from tests.core.routing.test_delayed_kept import Scene


def schedule(scene: Scene, **headers: str) -> None:
    address = Address("", "q")
    message = plain_message(address, b"x", AT_LEAST_ONCE).restated(address, Properties(dict(headers)))
    assert scene.client.publish(scene.client.vhost.schedule, message, None, 0)
    scene.commit()


def test_a_job_outlives_the_process_with_what_is_left_of_it() -> None:
    scene = Scene()
    schedule(scene, own="kept", **{DELAY: "1000", PERIOD: "2000", REPEAT: "2"})
    scene.die(0.5)
    scene.wait(0.6)
    scene.commit()
    assert (scene.ready(), len(scene.waiting())) == ([b"x"], 1)
    scene.die(0)
    (entry,) = scene.client.vhost.queues["q"].backlog.entries()
    assert entry.message.properties.headers == {"own": "kept", JOB: "1"}
    scene.wait(2.0)
    scene.wait(2.0)
    assert (len(scene.ready()), scene.waiting()) == (3, [])
    scene.commit()
    assert scene.stored() == 0


def test_times_that_were_missed_are_not_made_up_for() -> None:
    scene = Scene()
    schedule(scene, **{PERIOD: "1000", REPEAT: "10"})
    scene.die(5.25)
    scene.wait(0)
    assert len(scene.ready()) == 1
    scene.wait(0.5)
    assert len(scene.ready()) == 1
    scene.wait(0.3)
    assert len(scene.ready()) == 2, "in step with the times before"


def test_a_job_ends_when_its_exchange_is_gone() -> None:
    scene = Scene()
    address = Address("y", "k")
    said = Properties({PERIOD: "1000", REPEAT: "-1"})
    message = plain_message(address, b"x").restated(address, said)
    scene.client.publish(scene.client.vhost.schedule, message, None, 0)
    unroutable = scene.broker.counters.unroutable
    scene.wait(1.1)
    assert (scene.waiting(), scene.broker.counters.unroutable) == ([], unroutable + 1)
