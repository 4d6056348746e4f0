"""The grammar of selectors, for lark: JMS 2.0 §3.8.1, with ActiveMQ's quoted identifiers.

One ladder of rules for conditions and values alike; what kind a thing must be is checked when the tree is built. What
follows NOT in `a NOT LIKE b` is a rule of its own, so that one token of lookahead is enough.
"""

from typing import Final

IDENTIFIER: Final = r"/[^\W\d][\w$]*|\$[\w$]*/"
HYPHENATED_IDENTIFIER: Final = r"/[^\W\d]([\w$]|-(?=[\w$]))*|\$[\w$]*/"

GRAMMAR: Final = r"""
?start: disjunction

?disjunction: conjunction
            | conjunction (OR conjunction)+             -> any_of
?conjunction: negation
            | negation (AND negation)+                  -> all_of
?negation: predicate
         | NOT negation                                 -> negation
?predicate: sum
          | sum EQUAL sum                               -> comparison
          | sum ORDER sum                               -> comparison
          | sum BETWEEN sum AND sum                     -> between
          | sum IN "(" constant ("," constant)* ")"     -> among
          | sum LIKE TEXT [ESCAPE TEXT]                 -> like
          | sum NOT BETWEEN sum AND sum                 -> not_between
          | sum NOT IN "(" constant ("," constant)* ")" -> not_among
          | sum NOT LIKE TEXT [ESCAPE TEXT]             -> not_like
          | sum IS NULL                                 -> is_null
          | sum IS NOT NULL                             -> is_not_null
?sum: product
    | sum SIGN product                                  -> arithmetic
?product: factor
        | product SCALE factor                          -> arithmetic
?factor: atom
       | SIGN factor                                    -> signed
?atom: TEXT                                             -> text
     | TRUE                                             -> true
     | FALSE                                            -> false
     | number
     | IDENTIFIER                                       -> identifier
     | QUOTED                                           -> quoted
     | "(" disjunction ")"
?number: INTEGER                                        -> integer
       | DECIMAL                                        -> decimal
?constant: TEXT                                         -> text
         | number
         | SIGN number                                  -> signed

AND.2: /and(?![\w$])/i
BETWEEN.2: /between(?![\w$])/i
ESCAPE.2: /escape(?![\w$])/i
FALSE.2: /false(?![\w$])/i
IN.2: /in(?![\w$])/i
IS.2: /is(?![\w$])/i
LIKE.2: /like(?![\w$])/i
NOT.2: /not(?![\w$])/i
NULL.2: /null(?![\w$])/i
OR.2: /or(?![\w$])/i
TRUE.2: /true(?![\w$])/i

EQUAL.2: "=" | "<>"
ORDER: "<=" | ">=" | "<" | ">"
SIGN: "+" | "-"
SCALE: "*" | "/"
TEXT: /'(?:[^']|'')*'/
QUOTED: /"(?:[^"]|"")+"/
DECIMAL.3: /(?:[0-9]+\.[0-9]*|\.[0-9]+)(?:e[+-]?[0-9]+)?[fd]?(?![\w$])|[0-9]+e[+-]?[0-9]+[fd]?(?![\w$])|[0-9]+[fd](?![\w$])/i
INTEGER.2: /(?:0x[0-9a-f]+|[0-9]+)l?(?![\w$])/i
IDENTIFIER: %s
SPACE: /[ \t\r\n\f]+/
%%ignore SPACE
"""
