"""What a browser carries for us between two steps of a login: sealed, so that nothing is kept here.

Owns the texts; the envelope in them is `identity.encryption`'s. Must not know what is inside. Pure. Invariants:
a text opens only as the kind, and under the tag, it was sealed for, and in the one spelling it was
given out in, so that one record is one text and counting texts counts records (ADR 11).

Kind and tag are the envelope's place. What is inside is compressed first: bodies are JSON with known words.
"""

import zlib
from base64 import urlsafe_b64decode
from binascii import Error as NotBase64
from collections.abc import Callable
from typing import Final

from identity.encryption import Encryption, Unopened
from identity.keyring import KeyRing, Purpose
from identity.login.flow import Flaw, spelt
from identity.login.store import RecordKind
from identity.types import Clock, RandomBytes

LONGEST: Final = 2_048
"""Characters of one text. A cookie may have 4,096 bytes, but the head it is set in must fit a proxy's buffer."""

_MOST_BYTES: Final = 65_536
# Part of the envelope's version: what is written here cannot change without it.
_KNOWN_WORDS: Final = (
    b'"answer":null,"kept":{},"email":"","email_verified":false,"handle":"","name":"","picture":"https://'
    b'"step":"choose-name"}"login":"account":"client":"challenge":"host":"path":"reference":"claim":"identity":"'
    b'{"answer":null,"created_at":"force_login":false,"kept":{},"kind":"flow","nonce":"'
    b'","persistent":false,"persistent":true,"provider":"google","provider":"github","purpose":"sign-in"'
    b',"return_to":"/continue?host=&start=&path=/","return_to":"https://","return_to":"/account","state":"","verifier":"'
)


class Carrying:
    """Seals what a browser carries, and opens it.

    Args:
        keys: gives the current key ring.
        clock: decides which key seals.
        random_bytes: makes salts.
    """

    def __init__(self, keys: Callable[[], KeyRing], *, clock: Clock, random_bytes: RandomBytes) -> None:
        self._encryption = Encryption(keys, purpose=Purpose.CARRIED, clock=clock, random_bytes=random_bytes)

    def seal(self, kind: RecordKind, tag: str, body: bytes) -> str:
        """Return the text to carry; whether it fits is for the caller to see (`LONGEST`)."""
        return spelt(self._encryption.seal(_place(kind, tag), _compressed(body)))

    def open(self, kind: RecordKind, tag: str, text: str) -> bytes | Flaw:
        """Return the body, or why there is none: FORGED, or NEWER_KEY that this daemon has not read yet."""
        opened = self._encryption.unseal(_place(kind, tag), _raw(text) if len(text) <= _MOST_BYTES else b"")
        if isinstance(opened, Unopened):
            return Flaw.NEWER_KEY if opened is Unopened.NEWER_KEY else Flaw.FORGED
        try:
            return _expanded(opened)
        except zlib.error:
            return Flaw.FORGED


def _place(kind: RecordKind, tag: str) -> bytes:
    # Lengths first: no other pair of kind and tag gives the same bytes.
    return f"{len(kind.value)}:{kind.value}{len(tag)}:".encode() + tag.encode()


def _compressed(body: bytes) -> bytes:
    packer = zlib.compressobj(9, zdict=_KNOWN_WORDS)
    return packer.compress(body) + packer.flush()


def _expanded(packed: bytes) -> bytes:
    """Expand what we compressed: it was authenticated before, so the bound is for our own mistakes."""
    opener = zlib.decompressobj(zdict=_KNOWN_WORDS)
    body = opener.decompress(packed, _MOST_BYTES)
    if not opener.eof:
        raise zlib.error("longer than anything we seal")
    return body


def _raw(text: str) -> bytes:
    """Return the bytes; none for what is not exactly how they are spelt (base64 has several spellings)."""
    try:
        raw = urlsafe_b64decode(text.encode("ascii") + b"=" * (-len(text) % 4))
    except (UnicodeEncodeError, NotBase64):
        return b""
    return raw if spelt(raw) == text else b""
