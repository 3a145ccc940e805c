"""Parameters of a request: JSON in, one of the named tuples of ``wire`` out.

They are taken strictly: no text for numbers, no numbers for truth, no unknown names. Where plainly nothing is
wrong msgspec takes them in. pydantic is the judge, and it alone says what is wrong: what msgspec accepts it
would accept with the same outcome, which a test holds both to. It takes 0.15 s to import and 10 MB to keep,
so it comes with the first request that may be wrong, and in a thread, as everybody else waits for nothing.
"""

from __future__ import annotations

import asyncio
import math
from functools import cached_property
from typing import TYPE_CHECKING, Generic, NamedTuple, TypeVar, get_type_hints

import msgspec

from quotad import wire

if TYPE_CHECKING:
    from pydantic import TypeAdapter, ValidationError

P = TypeVar("P", bound=NamedTuple)

NOT_JSON = "a request must be one JSON object in UTF-8 on one line"
NAMED_FAULTS_MAX = 3
"""So many wrong parameters are named in one error."""
NAME_CHARACTERS_MAX = 64


class Validation(Generic[P]):
    """What makes values of one kind of parameters."""

    def __init__(self, params: type[P]) -> None:
        self._params = params

    async def validated(self, raw: bytes) -> P:
        """Raises ``wire.Refusal`` naming the faults."""
        value = self.plainly(raw)
        return await asyncio.to_thread(self.judged, raw) if value is None else value

    def plainly(self, raw: bytes) -> P | None:
        """What is said; None if something may be wrong."""
        try:
            said = self._plain.decode(raw)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            return None
        return self._params._make(msgspec.structs.astuple(said))

    def judged(self, raw: bytes) -> P:
        """The same with all that pydantic knows. Raises ``wire.Refusal``."""
        from pydantic import ValidationError  # noqa: PLC0415 - see the module's first lines

        try:
            value = self._judge.validate_json(raw, strict=True)
        except ValidationError as fault:
            raise _refusal(fault) from None
        for name, field in value._asdict().items():
            if isinstance(field, float) and not math.isfinite(field):
                raise wire.Refusal(wire.INVALID_PARAMS, f"{name}: Input should be a finite number")
        return value

    @cached_property
    def _plain(self) -> msgspec.json.Decoder[msgspec.Struct]:
        defaults = self._params._field_defaults
        fields = [
            (name, kind, defaults[name]) if name in defaults else (name, kind)
            for name, kind in get_type_hints(self._params).items()
        ]
        said = msgspec.defstruct(self._params.__name__, fields, forbid_unknown_fields=True)
        return msgspec.json.Decoder(said)

    @cached_property
    def _judge(self) -> TypeAdapter[P]:
        from pydantic import TypeAdapter  # noqa: PLC0415 - see the module's first lines

        return TypeAdapter(self._params)


def _refusal(fault: ValidationError) -> wire.Refusal:
    faults = fault.errors(include_input=False, include_url=False, include_context=False)
    if faults[0]["type"] == "json_invalid":
        return wire.Refusal(wire.PARSE_ERROR, NOT_JSON)
    sentences = [
        f"{'.'.join(map(str, fault['loc']))[:NAME_CHARACTERS_MAX]}: {fault['msg']}"
        for fault in faults[:NAMED_FAULTS_MAX]
    ]
    return wire.Refusal(wire.INVALID_PARAMS, "; ".join(sentences))
