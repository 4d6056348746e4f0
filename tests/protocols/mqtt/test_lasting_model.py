"""The model of two persistent sessions, with a broker that dies at every point of every exchange and with a disk that is slow.

The process may end at once, when some of what it did is committed and the rest is not, or in order. Both clients come back, and
what was promised to them before holds: QoS 2 arrives exactly once and in order, QoS 1 at least once and in order.
"""

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import precondition, rule

from tests.protocols.mqtt.lasting_world import LastingWorld
from tests.protocols.mqtt.peer import Publish
from tests.protocols.mqtt.test_session_model import AWHILE_S, EXPIRY_S, Exchanges, Exchanges5, Talker
from tests.protocols.world import World


class Deaths(Exchanges):
    """What may happen to the broker, for clients of either version."""

    @property
    def lasting(self) -> LastingWorld:
        assert isinstance(self.world, LastingWorld)
        return self.world

    def new_world(self) -> World:
        return LastingWorld(small_windows=True)

    def talker(self, name: str) -> Talker:
        slow = self.lasting.slow
        self.lasting.catch_up()
        found = super().talker(name)
        self.lasting.slow = slow
        return found

    @rule(what=st.sampled_from(["is slow", "is slow", "has written a batch", "catches up"]))
    def disk(self, what: str) -> None:
        if what == "is slow":
            self.lasting.slow = True
        elif what == "catches up":
            self.lasting.catch_up()
        else:
            self.lasting.commit()
        self.pump()

    @rule(count=st.integers(1, 8))
    def everybody_reads(self, count: int) -> None:
        for _ in range(count):
            if self.deliveries:
                self.subscriber_reads(answers=True)
            if self.answers:
                self.publisher_reads()

    @rule(
        how=st.sampled_from(["at once", "at once", "again and again", "in order"]), down_s=st.integers(0, EXPIRY_S - 1)
    )
    def broker_ends(self, how: str, down_s: int) -> None:
        if how == "in order":
            self.lasting.stop(down_s)
        else:
            self.lasting.die(down_s)
        if how == "again and again":
            self.lasting.die()
            self.lasting.die()
        self.subscriber = self.talker("subscriber")
        assert self.subscriber.resumed
        self.deliveries.clear()
        self.deliveries += self.subscriber.greeted
        self.publisher_comes_back()

    def teardown(self) -> None:
        self.lasting.catch_up()
        self.pump()
        super().teardown()


class Deaths5(Deaths, Exchanges5):
    """The same with MQTT 5.0, where the subscriber may also stay away while the broker is down."""

    @precondition(lambda self: self.deliveries and isinstance(self.deliveries[0], Publish))
    @rule()
    def subscriber_refuses(self) -> None:
        """Nothing waits for a refusal: what the client has not taken may come again if the process dies just then."""
        super().subscriber_refuses()
        self.lasting.catch_up()
        self.pump()

    @rule(
        away_s=st.sampled_from([1, EXPIRY_S - 1, EXPIRY_S, 2 * EXPIRY_S]),
        asked_s=st.sampled_from([None, 0, AWHILE_S]),
    )
    def subscriber_stays_away(self, away_s: int, asked_s: int | None) -> None:
        self.lasting.catch_up()
        self.pump()
        super().subscriber_stays_away(away_s, asked_s)

    @rule(down_s=st.sampled_from([EXPIRY_S - 1, EXPIRY_S, 2 * EXPIRY_S]), in_order=st.booleans())
    def broker_is_down_for_long(self, down_s: int, in_order: bool) -> None:
        """Where the process has died with its clients connected, nobody knows since when they are away: from the restart on."""
        self.lasting.catch_up()
        self.pump()
        while self.answers:
            self.publisher_reads()
        self.subscriber.hang_up()
        self.lasting.turn()
        if in_order:
            self.lasting.stop(down_s)
        else:
            self.lasting.die(down_s)
        self.subscriber = self.talker("subscriber")
        assert self.subscriber.resumed is (down_s < EXPIRY_S)
        self.deliveries.clear()
        self.deliveries += self.subscriber.greeted
        if not self.subscriber.resumed:
            assert not self.deliveries
            self.held.clear()
            self.subscriber.subscribe()
            self.published = {
                qos: [body for body in bodies if body in self.got[qos]] for qos, bodies in self.published.items()
            }
        self.publisher = self.talker("publisher")
        assert self.publisher.resumed is (down_s < EXPIRY_S or not in_order)
        self.pump()


Deaths.TestCase.settings = settings(max_examples=200, stateful_step_count=50, deadline=None)
Deaths5.TestCase.settings = settings(max_examples=200, stateful_step_count=50, deadline=None)
TestDeaths = Deaths.TestCase
TestDeaths5 = Deaths5.TestCase
