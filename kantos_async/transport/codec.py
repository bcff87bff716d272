"""Bytes to models and back, with one decoder a type made once."""

from __future__ import annotations

from typing import Any, TypeVar

import msgspec

from .unions import dec_hook, enc_hook

__all__ = ["decode", "encode"]

T = TypeVar("T")

encode = msgspec.json.Encoder(enc_hook=enc_hook).encode

_decoders: dict[Any, msgspec.json.Decoder[Any]] = {}


def decode(kind: type[T], body: bytes) -> T:
    """Decode a JSON body into `kind`.

    Raises:
        msgspec.ValidationError: it is JSON of another shape.
        msgspec.DecodeError: it is no JSON.
        UnicodeDecodeError: a string in it is not UTF-8.
    """
    decoder = _decoders.get(kind)
    if decoder is None:
        decoder = _decoders[kind] = msgspec.json.Decoder(kind, dec_hook=dec_hook)
    return decoder.decode(body)  # type: ignore[no-any-return]
