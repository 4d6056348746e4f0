"""Turns in a line that anybody may leave, against a list that does the same at the cost of its length."""

from hypothesis import given
from hypothesis import strategies as st

from core.queueing.consumer import Consumer
from core.queueing.rota import SHORT, TIDY_PART, Rota

LONG = 2 * SHORT


@given(st.lists(st.tuples(st.sampled_from("tarfd"), st.integers(0, LONG - 1)), max_size=300), st.integers(0, LONG))
def test_a_rota_is_a_list_whose_first_is_put_last(steps: list[tuple[str, int]], there: int) -> None:
    consumers = [Consumer() for _ in range(LONG)]
    rota = Rota()
    for consumer in consumers[:there]:
        rota.add(consumer)
    line = consumers[:there]
    for step, number in steps:
        consumer = consumers[number]
        if step == "t" and rota.first() is not None:
            rota.turn()
            line.append(line.pop(0))
        elif step == "d" and rota.first() is not None:
            rota.remove_first()
            line.pop(0)
        elif step == "r" and consumer in line:
            rota.remove(consumer)
            line.remove(consumer)
        elif step == "a" and consumer not in line:
            rota.add(consumer)
            if rota.members()[-1] is consumer:
                line.append(consumer)
            else:  # it had just left, and has its old place
                line.insert(rota.members().index(consumer), consumer)
        assert rota.first() is (line[0] if line else None)
        assert (rota.members(), rota.count) == (line, len(line))


class Counted(Consumer):
    """Counts how often it is looked for among others."""

    looks = 0

    def __eq__(self, other: object) -> bool:
        Counted.looks += 1
        return self is other

    def __hash__(self) -> int:
        return id(self)


def test_whoever_leaves_a_long_line_is_not_looked_for() -> None:
    rota = Rota()
    consumers = [Counted() for _ in range(1_000)]
    for consumer in consumers:
        rota.add(consumer)
    Counted.looks = 0
    for consumer in reversed(consumers):
        rota.remove(consumer)
    assert rota.first() is None
    assert Counted.looks < len(consumers) * SHORT // 4


def test_those_who_have_left_are_kept_for_a_part_of_the_line_only() -> None:
    rota = Rota()
    consumers = [Consumer() for _ in range(1_000)]
    for consumer in consumers:
        rota.add(consumer)
    for consumer in consumers[:990]:
        rota.remove(consumer)
        assert len(rota._line) <= rota.count * TIDY_PART // (TIDY_PART - 1) + 1
