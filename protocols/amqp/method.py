"""What every method is: a class and method id with arguments, read in the order of AMQP 0-9-1 §1."""

from mypy_extensions import mypyc_attr

from protocols.amqp.reader import Reader


@mypyc_attr(allow_interpreted_subclasses=True)
class Method:
    """A method with its arguments. This class itself is a method that has none."""

    def __init__(self, reader: Reader) -> None:
        self.number = 0  # class and method id; written by `decode`
