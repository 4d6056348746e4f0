"""Selectors: the conditions on messages that JMS took from SQL-92, parsed and compiled once."""

from core.routing.selector.parser import parse_selector
from core.routing.selector.selector import Selector

__all__ = ["Selector", "parse_selector"]
