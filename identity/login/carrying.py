"""What a browser carries for us between two steps of a login: sealed, so that nothing is kept here.

Owns the seal, and is the only home of `cryptography`. Must not know what is inside. Pure. Invariants:
a text opens only as the kind, and under the tag, it was sealed for, and in the one spelling it was
given out in, so that one record is one text and counting texts counts records (ADR 11).

    version 1 | key number 1 | salt 16 | ciphertext, which ends in a tag of 16

AES-128-GCM under a key of its own for each text, derived from the key ring over the salt; kind and
tag are authenticated with it. What is inside is compressed first: bodies are JSON with known words.
"""

import zlib
from base64 import urlsafe_b64decode
from binascii import Error as NotBase64
from collections.abc import Callable
from typing import Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from identity.keyring import KeyRing, Purpose
from identity.login.flow import Flaw, spelt
from identity.login.store import RecordKind
from identity.types import Clock, RandomBytes

LONGEST: Final = 2_048
"""Characters of one text. A cookie may have 4,096 bytes, but the head it is set in must fit a proxy's buffer."""

_VERSION: Final = 1
_SALT_BYTES: Final = 16
_TAG_BYTES: Final = 16
_HEAD_BYTES: Final = 2
_MOST_BYTES: Final = 65_536
_NONCE: Final = bytes(12)
"""Never changes: no key seals twice."""
# Part of the version: what is written here cannot change without it.
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
        self._keys = keys
        self._clock = clock
        self._random = random_bytes

    def seal(self, kind: RecordKind, tag: str, body: bytes) -> str:
        """Return the text to carry; whether it fits is for the caller to see (`LONGEST`)."""
        ring = self._keys()
        number = ring.signing_number(self._clock())
        salt = self._random(_SALT_BYTES)
        head = bytes((_VERSION, number))
        sealed = _cipher(ring, number, salt).encrypt(_NONCE, _compressed(body), _place(head, kind, tag))
        return spelt(head + salt + sealed)

    def open(self, kind: RecordKind, tag: str, text: str) -> bytes | Flaw:
        """Return the body, or why there is none: FORGED, or NEWER_KEY that this daemon has not read yet."""
        raw = _raw(text) if len(text) <= _MOST_BYTES else b""
        if len(raw) < _HEAD_BYTES + _SALT_BYTES + _TAG_BYTES or raw[0] != _VERSION:
            return Flaw.FORGED
        ring, number = self._keys(), raw[1]
        if not ring.knows(number):
            return Flaw.NEWER_KEY if number > ring.newest else Flaw.FORGED
        head, salt, sealed = raw[:_HEAD_BYTES], raw[_HEAD_BYTES:][:_SALT_BYTES], raw[_HEAD_BYTES + _SALT_BYTES :]
        try:
            return _expanded(_cipher(ring, number, salt).decrypt(_NONCE, sealed, _place(head, kind, tag)))
        except (InvalidTag, zlib.error):
            return Flaw.FORGED


def _cipher(ring: KeyRing, number: int, salt: bytes) -> AESGCM:
    return AESGCM(ring.mac(number, Purpose.CARRIED, salt))


def _place(head: bytes, kind: RecordKind, tag: str) -> bytes:
    # Lengths first: no other pair of kind and tag gives the same bytes.
    return head + f"{len(kind.value)}:{kind.value}{len(tag)}:".encode() + tag.encode()


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
