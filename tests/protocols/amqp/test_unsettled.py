"""Delivery tags: against a plain dictionary that looks at every tag."""

from hypothesis import given
from hypothesis import strategies as st

from core.broker import Broker
from core.model.message import Address, plain_message
from core.queueing.entry import Entry
from protocols.amqp.unsettled import Unsettled

operations = st.lists(
    st.one_of(
        st.tuples(st.just("lend"), st.just(0)),
        st.tuples(st.just("skip"), st.just(0)),
        st.tuples(st.sampled_from(["take", "through", "restore"]), st.integers(0, 12)),
    ),
    max_size=40,
)


@given(operations)
def test_tags_behave_like_a_dictionary(steps: list[tuple[str, int]]) -> None:
    queue = Broker(lambda: "u").vhosts["/"].add_queue("q")
    unsettled = Unsettled()
    model: dict[int, Entry] = {}
    taken: dict[int, Entry] = {}
    last = 0
    for step, tag in steps:
        if step == "lend":
            entry = Entry(queue, plain_message(Address("", "q"), b""), last, None)
            last += 1
            assert unsettled.lend(entry) == last
            model[last] = entry
        elif step == "skip":
            last += 1
            assert unsettled.skip() == last
        elif step == "take":
            entry_or_none = model.pop(tag, None)
            assert unsettled.take(tag) is entry_or_none
            if entry_or_none is not None:
                taken[tag] = entry_or_none
        elif step == "restore":
            if tag in taken:
                model[tag] = taken.pop(tag)
                unsettled.restore(tag, model[tag])
        else:
            expected = [(number, model[number]) for number in sorted(model) if tag in {0, *range(number, 13)}]
            if tag and tag not in model:
                assert unsettled.take_through(tag) is None
            else:
                assert unsettled.take_through(tag) == expected
                for number, entry in expected:
                    taken[number] = model.pop(number)
                    assert taken[number] is entry
        assert len(unsettled) == len(model)
    assert {id(entry) for entry in unsettled.drain()} == {id(entry) for entry in model.values()}
    assert len(unsettled) == 0
