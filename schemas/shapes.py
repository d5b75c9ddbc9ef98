"""Shapes: the names of a source's messages, compiled once into a decoder that knows them.

Nearly every message of one GPU has the names of its last one. A decoder that expects them compares bytes where the
general one makes a text and a dict entry of every name. It only ever takes what needs no closer look: whatever does
not fit is decoded anew by :func:`schemas.raw.decode`, so no outcome depends on the shape.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from math import inf, nextafter
from typing import Annotated, Any, Final

import msgspec

from schemas.raw import HOST_PREFIX, MAX_MESSAGE_BYTES, RawMessage, checked, decode
from schemas.sample import Fitted, Plan, free_of_sentinels, plan_of, scaled

_MAX_NAMES: Final = 512
_MAX_NAMES_LENGTH: Final = 16_384
# A source that often has a text or a blank would pay for both ways: it is tried again only after so many messages.
_REST_MESSAGES: Final = 50
_values: Final = msgspec.structs.astuple


@dataclass(frozen=True, slots=True)
class ShapeLimits:
    """How many ``shapes``, names ``seen`` once, and record ``keys`` are held at most."""

    shapes: int = 256
    seen: int = 1024
    keys: int = 100_000


class _Shape:
    """The decoder of messages that have exactly the names of ``plan``, all with numbers."""

    __slots__ = ("decode", "plan")

    def __init__(self, names: tuple[str, ...], plan: Plan) -> None:
        # Names come from outside: they are never identifiers, only the texts that the decoder compares.
        fields: list[tuple[str, Any]] = [(f"m{index}", _within(plan, index)) for index in range(len(names))]
        metrics = msgspec.defstruct(
            "Metrics",
            fields,
            rename={f"m{index}": name for index, name in enumerate(names)},
            forbid_unknown_fields=True,
            gc=False,
        )
        message = msgspec.defstruct("Message", [("metrics", metrics)], bases=(RawMessage,), kw_only=True, gc=False)
        self.decode: Callable[[bytes], Any] = msgspec.json.Decoder(message).decode
        self.plan = plan

    def take(self, value: bytes) -> tuple[RawMessage, Fitted] | None:
        """Return the message and its values, None where it needs the exact way."""
        try:
            message = self.decode(value)
        except (msgspec.DecodeError, RecursionError, UnicodeDecodeError):
            return None
        plan = self.plan
        raw = _values(message.metrics)
        # The facts of a host are kept by name.
        if not free_of_sentinels(plan, raw) or message.gpu_id.startswith(HOST_PREFIX):
            return None
        message.refused = None
        return message, (plan, scaled(plan, raw), plan.still(raw))


_LIMITS: Final = ShapeLimits()


class Shapes:
    """Decodes messages, by the shape that the last message of the same record key had.

    Parameters
    ----------
    rest_messages
        After a message that did not fit, so many of its key go the exact way.
    limits
        Bounds of what is held: names and keys come from outside.
    """

    def __init__(self, rest_messages: int = _REST_MESSAGES, limits: ShapeLimits = _LIMITS) -> None:
        self._limits = limits
        self._rest_messages = rest_messages
        self._last: dict[bytes | None, _Shape] = {}
        self._rest: dict[bytes | None, int] = {}
        self._compiled: dict[tuple[str, ...], _Shape | None] = {}
        self._seen: set[tuple[str, ...]] = set()

    def decode(self, key: bytes | None, value: bytes | None) -> tuple[RawMessage, Fitted | None]:
        """Return what ``schemas.raw.decode`` would, and the values where the shape fitted.

        With values, ``metrics`` of the message is not to be read.

        Raises
        ------
        InvalidMessage
            As ``schemas.raw.decode``.
        """
        shape = self._last.get(key)
        if shape is not None:
            if value and len(value) <= MAX_MESSAGE_BYTES:
                taken = shape.take(value)
                if taken is not None:
                    checked(taken[0])
                    return taken
            del self._last[key]
            self._wait(key)
            return decode(value), None
        message = decode(value)
        rest = self._rest.get(key, 0)
        if rest:
            self._rest[key] = rest - 1
        else:
            self._learn(key, message)
        return message, None

    def sizes(self) -> tuple[int, int, int, int]:
        """Return how many keys with a shape, resting keys, shapes, and names seen once are held."""
        return len(self._last), len(self._rest), len(self._compiled), len(self._seen)

    def _wait(self, key: bytes | None) -> None:
        if len(self._rest) >= self._limits.keys:
            self._rest.clear()
        self._rest[key] = self._rest_messages

    def _learn(self, key: bytes | None, message: RawMessage) -> None:
        names = tuple(message.metrics)
        if names not in self._compiled and names not in self._seen:
            # Names seen once may never come again: compiling is for those that do.
            if len(self._seen) >= self._limits.seen:
                self._seen.clear()
            if sum(map(len, names)) <= _MAX_NAMES_LENGTH:
                self._seen.add(names)
            else:
                self._wait(key)
            return
        shape = self._shape(names)
        if shape is None or message.gpu_id.startswith(HOST_PREFIX):
            self._wait(key)
            return
        if len(self._last) >= self._limits.keys:
            self._last.clear()
        self._last[key] = shape

    def _shape(self, names: tuple[str, ...]) -> _Shape | None:
        if names not in self._compiled:
            if len(self._compiled) >= self._limits.shapes:
                return None
            self._compiled[names] = _compile(names)
        return self._compiled[names]


def _compile(names: tuple[str, ...]) -> _Shape | None:
    """Return the shape of ``names``; None where a name is read for itself, as those of a link are."""
    if not 0 < len(names) <= _MAX_NAMES:
        return None
    plan = plan_of(names)
    if plan.links:
        return None
    try:
        return _Shape(names, plan)
    except ValueError:  # a name that JSON would have to escape
        return None


def _within(plan: Plan, position: int) -> Any:
    """Return the type of a name's value: a number whose scaled value lies in the signal's range."""
    factor, low, high = plan.factors[position], plan.lows[position], plan.highs[position]
    least, most = low / factor, high / factor
    while least * factor < low:
        least = nextafter(least, inf)
    while most * factor > high:
        most = nextafter(most, -inf)
    return Annotated[float, msgspec.Meta(ge=least if low > -inf else None, le=most if high < inf else None)]
