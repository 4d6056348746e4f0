"""What is not settled yet: against a plain dictionary that looks at every number."""

from hypothesis import given
from hypothesis import strategies as st

from core.broker import Broker
from core.model.message import Address, plain_message
from core.queueing.entry import Entry
from protocols.unsettled import GAP_LIMIT, Unsettled

operations = st.lists(
    st.one_of(
        st.tuples(st.just("lend"), st.just(0)),
        st.tuples(st.just("skip"), st.just(0)),
        st.tuples(st.sampled_from(["take", "through", "all", "restore"]), st.integers(0, 12)),
    ),
    max_size=40,
)


@given(operations)
def test_numbers_behave_like_a_dictionary(steps: list[tuple[str, int]]) -> None:
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
        elif step == "all" or tag in model:
            expected = [(number, model[number]) for number in sorted(model) if step == "all" or number <= tag]
            assert (unsettled.take_all() if step == "all" else unsettled.take_through(tag)) == expected
            for number, entry in expected:
                taken[number] = model.pop(number)
                assert taken[number] is entry
        else:
            assert unsettled.take_through(tag) is None
        assert len(unsettled) == len(model)
    assert unsettled.take_all() == sorted(model.items())
    assert len(unsettled) == 0


def test_an_old_number_that_comes_back_does_not_make_settling_slow() -> None:
    queue = Broker(lambda: "u").vhosts["/"].add_queue("q")
    first, last = (Entry(queue, plain_message(Address("", "q"), b""), number, None) for number in (1, 2))
    unsettled = Unsettled()
    unsettled.lend(first)
    assert unsettled.take(1) is first
    for _ in range(GAP_LIMIT + 10):
        unsettled.skip()
    number = unsettled.lend(last)
    unsettled.restore(1, first)
    assert unsettled.take_through(number) == [(1, first), (number, last)]
    unsettled.restore(1, first)
    unsettled.restore(1 << 60, last)  # would walk for years
    assert unsettled.take_through(1 << 60) == [(1, first), (1 << 60, last)]
