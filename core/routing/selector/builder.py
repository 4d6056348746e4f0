"""Builds the tree of a selector while lark reduces its text, rule by rule and without recursion.

Methods are named after the rules of the grammar and take what the rule has matched: tokens, and expressions that were
built before. Everything that the grammar cannot say is refused here, at its place.
"""

from typing import Any, Final, NoReturn

from core.model.errors import Invalid, InvalidSelector
from core.routing.selector.expressions import (
    CONDITION,
    KIND_NAMES,
    NUMBER,
    TEXT,
    And,
    Arithmetic,
    Between,
    Comparison,
    Expression,
    Identifier,
    In,
    IsNull,
    Like,
    Literal,
    Negative,
    Not,
    Or,
)
from core.routing.selector.headers import HEADERS, OF_DELIVERIES, JmsHeader
from core.routing.selector.like import LikePattern
from core.routing.selector.values import (
    DIVIDED,
    EQUAL,
    GREATER,
    GREATER_OR_EQUAL,
    LESS,
    LESS_OR_EQUAL,
    MINUS,
    MOST_INTEGER,
    NOT_EQUAL,
    PLUS,
    TIMES,
)

DEPTH_LIMIT: Final = 64  # of expressions in each other
PARTS_LIMIT: Final = 1_000  # of one selector

COMPARISONS: Final = {
    "=": EQUAL,
    "<>": NOT_EQUAL,
    "<": LESS,
    "<=": LESS_OR_EQUAL,
    ">": GREATER,
    ">=": GREATER_OR_EQUAL,
}
OPERATIONS: Final = {"+": PLUS, "-": MINUS, "*": TIMES, "/": DIVIDED}

Matched = Any  # what a rule has matched: a list of lark's tokens and of expressions


class Builder:
    """The parts of one selector. `begin` comes first."""

    def __init__(self) -> None:
        self._offset = 0
        self._converts = False
        self.parts = 0

    def begin(self, offset: int, *, converts: bool) -> None:
        """Forget what was built before. The text begins `offset` characters behind the start of the selector."""
        self._offset = offset
        self._converts = converts
        self.parts = 0

    def count(self, token: Matched) -> Matched:
        """Count a token that could be repeated for long before anything is built of it."""
        self._count(self._column(token))
        return token

    def _count(self, column: int) -> None:
        self.parts += 1
        if self.parts > PARTS_LIMIT:
            self._fail(column, f"more than {PARTS_LIMIT} parts")

    # Conditions

    def any_of(self, matched: Matched) -> Expression:
        return self._made(Or([self.condition(part) for part in matched[::2]]))

    def all_of(self, matched: Matched) -> Expression:
        return self._made(And([self.condition(part) for part in matched[::2]]))

    def negation(self, matched: Matched) -> Expression:
        return self._not(self._column(matched[0]), self.condition(matched[1]))

    def comparison(self, matched: Matched) -> Expression:
        left, sign, right = matched
        operation = COMPARISONS[sign]
        if operation not in (EQUAL, NOT_EQUAL):
            self._check_ordered(left)
            self._check_ordered(right)
        return self._made(Comparison(left.column, operation, left, right, self._converts))

    def between(self, matched: Matched) -> Expression:
        return self._between(matched[0], matched[2], matched[4])

    def not_between(self, matched: Matched) -> Expression:
        return self._not(matched[0].column, self._between(matched[0], matched[3], matched[5]))

    def _between(self, asked: Expression, least: Expression, most: Expression) -> Expression:
        for part in (asked, least, most):
            self._check_ordered(part)
        return self._made(
            Between(
                asked,
                Comparison(asked.column, GREATER_OR_EQUAL, asked, least, self._converts),
                Comparison(asked.column, LESS_OR_EQUAL, asked, most, self._converts),
            )
        )

    def among(self, matched: Matched) -> Expression:
        return self._among(matched[0], matched[2:])

    def not_among(self, matched: Matched) -> Expression:
        return self._not(matched[0].column, self._among(matched[0], matched[3:]))

    def _among(self, asked: Expression, constants: Matched) -> Expression:
        if self._converts:  # text may spell a number, so each is compared
            parts: list[Expression] = [Comparison(asked.column, EQUAL, asked, each, True) for each in constants]
            return self._made(Or(parts))
        return self._made(In(asked, [each.literal for each in constants]))

    def like(self, matched: Matched) -> Expression:
        return self._like(matched[0], matched[2], matched[4])

    def not_like(self, matched: Matched) -> Expression:
        return self._not(matched[0].column, self._like(matched[0], matched[3], matched[5]))

    def _like(self, asked: Expression, pattern: Matched, escape: Matched) -> Expression:
        character = "" if escape is None else _unquoted(escape)
        if escape is not None and len(character) != 1:
            self._fail(self._column(escape), "ESCAPE needs one character")
        try:
            return self._made(Like(asked, LikePattern(_unquoted(pattern), character)))
        except Invalid as error:
            self._fail(self._column(pattern), error.text)

    def is_null(self, matched: Matched) -> Expression:
        return self._made(IsNull(matched[0]))

    def is_not_null(self, matched: Matched) -> Expression:
        return self._not(matched[0].column, self._made(IsNull(matched[0])))

    def _not(self, column: int, asked: Expression) -> Expression:
        return self._made(Not(column, asked))

    # Values

    def arithmetic(self, matched: Matched) -> Expression:
        left, sign, right = matched
        for part in (left, right):
            if part.kind == CONDITION or (part.kind == TEXT and not self._converts):
                self._fail(part.column, f"{KIND_NAMES[part.kind]} where a number is needed")
        return self._made(Arithmetic(OPERATIONS[sign], left, right, self._converts))

    def signed(self, matched: Matched) -> Expression:
        sign, asked = matched
        if asked.kind in (CONDITION, TEXT):
            self._fail(asked.column, f"{KIND_NAMES[asked.kind]} where a number is needed")
        if sign == "+":
            if asked.kind == NUMBER:
                return self._made(asked)
            return self._made(Arithmetic(PLUS, asked, Literal(NUMBER, asked.column, 0), self._converts))
        if isinstance(asked, Literal):
            return Literal(NUMBER, self._column(sign), -asked.literal)
        return self._made(Negative(self._column(sign), asked, self._converts))

    def text(self, matched: Matched) -> Expression:
        return self._made(Literal(TEXT, self._column(matched[0]), _unquoted(matched[0])))

    def true(self, matched: Matched) -> Expression:
        return self._made(Literal(CONDITION, self._column(matched[0]), True))

    def false(self, matched: Matched) -> Expression:
        return self._made(Literal(CONDITION, self._column(matched[0]), False))

    def integer(self, matched: Matched) -> Expression:
        token = matched[0]
        digits = str(token).lower().removesuffix("l")
        if digits.startswith("0x"):
            number = int(digits[2:][:20], 16)
        elif digits.startswith("0") and len(digits) > 1:  # as in Java
            if not set(digits) <= set("01234567"):
                self._fail(self._column(token), f"'{digits[:20]}' begins with 0, so it must be octal")
            number = int(digits[:30], 8)
        else:
            number = int(digits[:30])
        if number > MOST_INTEGER + 1:  # one more, for the least integer with its sign
            self._fail(self._column(token), f"'{digits[:20]}' is an integer of more than 64 bits")
        return self._made(Literal(NUMBER, self._column(token), number))

    def decimal(self, matched: Matched) -> Expression:
        token = matched[0]
        return self._made(Literal(NUMBER, self._column(token), float(str(token).lower().rstrip("fd"))))

    def identifier(self, matched: Matched) -> Expression:
        return self._identifier(matched[0], str(matched[0]))

    def quoted(self, matched: Matched) -> Expression:
        return self._identifier(matched[0], str(matched[0])[1:-1].replace('""', '"'))

    def _identifier(self, token: Matched, name: str) -> Expression:
        column = self._column(token)
        if name in OF_DELIVERIES:
            self._fail(column, f"{name} is not the message's, but its delivery's")
        return self._made(JmsHeader(column, name) if name in HEADERS else Identifier(column, name))

    # Checks

    def condition(self, part: Expression) -> Expression:
        """Return what stands where there must be a condition."""
        if part.kind in (NUMBER, TEXT):
            self._fail(part.column, f"{KIND_NAMES[part.kind]} where a condition is needed")
        return part

    def _check_ordered(self, part: Expression) -> None:
        if part.kind == CONDITION or (part.kind == TEXT and not self._converts):
            self._fail(part.column, f"{KIND_NAMES[part.kind]} where a number is needed")

    def _column(self, token: Matched) -> int:
        start: int = token.start_pos
        return self._offset + start + 1

    def _made(self, made: Expression) -> Expression:
        self._count(made.column)
        if made.depth > DEPTH_LIMIT:
            self._fail(made.column, f"nested more than {DEPTH_LIMIT} deep")
        return made

    def _fail(self, column: int, text: str) -> NoReturn:
        raise InvalidSelector(text, column)


def _unquoted(token: Matched) -> str:
    return str(token)[1:-1].replace("''", "'")
