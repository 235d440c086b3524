"""Formulas over named concepts, such as `a - b + c` or `(a + b)/2`, to the weight of each concept.

Read here and never evaluated as a program. What is not linear in the concepts has no meaning and is refused.
"""

from __future__ import annotations

import math
import re

from dcgan_edge.errors import UsageError

MAX_LENGTH = 200  # characters, which also bounds the depth of parentheses
_TOKEN = re.compile(r"\s*(?:[0-9]+(?:\.[0-9]+)?|\.[0-9]+|[A-Za-z_]\w*|[-+*/()])", re.ASCII)
_NUMBER = ""  # the key of a value's constant part; no concept is called so
_Linear = dict[str, float]


def parse_formula(text: str) -> dict[str, float]:
    """The weight of each concept in `text`, in the order in which they are first named.

    Knows + - * / parentheses, numbers and names. Raises UsageError for anything else: what is not linear, a
    bare number, a division by zero.
    """
    if len(text) > MAX_LENGTH:
        raise UsageError(f"A formula has at most {MAX_LENGTH} characters.")
    tokens = _tokens(text)
    value = _sum(tokens, text)
    if tokens:
        raise _unreadable(text)
    if value.pop(_NUMBER, 0.0) != 0.0:
        raise UsageError(f"{text!r} adds a number to concepts; numbers can only multiply them.")
    if not value:
        raise UsageError(f"{text!r} names no concept.")
    if not all(math.isfinite(weight) for weight in value.values()):
        raise UsageError(f"{text!r} has weights beyond all numbers.")
    return value


def _tokens(text: str) -> list[str]:
    """The tokens of `text`, last one first."""
    found, place = [], 0
    stripped = text.rstrip()
    while place < len(stripped):
        match = _TOKEN.match(stripped, place)
        if match is None:
            raise _unreadable(text)
        found.append(match[0].strip())
        place = match.end()
    return found[::-1]


def _sum(tokens: list[str], text: str) -> _Linear:
    total = _product(tokens, text)
    while tokens and tokens[-1] in "+-":
        sign = 1.0 if tokens.pop() == "+" else -1.0
        for name, weight in _product(tokens, text).items():
            total[name] = total.get(name, 0.0) + sign * weight
    return total


def _product(tokens: list[str], text: str) -> _Linear:
    left = _signed(tokens, text)
    while tokens and tokens[-1] in "*/":
        operator, right = tokens.pop(), _signed(tokens, text)
        if operator == "*" and not _is_number(right):
            left, right = right, left
        if not _is_number(right):
            raise UsageError(f"{text!r} multiplies or divides by a concept; only numbers can do that.")
        factor = right[_NUMBER]
        if operator == "/":
            if factor == 0.0:
                raise UsageError(f"{text!r} divides by zero.")
            factor = 1.0 / factor
        left = _scaled(left, factor)
    return left


def _signed(tokens: list[str], text: str) -> _Linear:
    negative = False
    while tokens and tokens[-1] in "+-":
        negative ^= tokens.pop() == "-"
    value = _atom(tokens, text)
    return _scaled(value, -1.0) if negative else value


def _atom(tokens: list[str], text: str) -> _Linear:
    token = tokens.pop() if tokens else ")"
    if token == "(":
        value = _sum(tokens, text)
        if not tokens or tokens.pop() != ")":
            raise _unreadable(text)
        return value
    if token[0] in "0123456789.":
        return {_NUMBER: float(token)}
    if token in "+-*/)":
        raise _unreadable(text)
    return {token: 1.0}


def _is_number(value: _Linear) -> bool:
    return set(value) == {_NUMBER}


def _scaled(value: _Linear, factor: float) -> _Linear:
    return {name: factor * weight for name, weight in value.items()}


def _unreadable(text: str) -> UsageError:
    return UsageError(f"{text!r} is not a formula; write a - b + c, or (a + b)/2.")
