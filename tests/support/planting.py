"""Writing into a cache past the store, as somebody with access to memcached would."""

import socket

from identity.stores.cache import Cache, CacheKey, Value
from identity.types import HOUR, Clock
from tests.support.memcached import MemcachedNode


def overwrite(cache: Cache, key: CacheKey, data: bytes, *, clock: Clock) -> None:
    """Put these bytes under a key, whatever was there."""
    there = cache.get_many([key])[key]
    if isinstance(there, Value):
        cache.swap(key, data, version=there.version, expires_at=clock() + HOUR)
    else:
        cache.add(key, data, expires_at=clock() + HOUR)


def plant(node: MemcachedNode, key: str, data: bytes) -> None:
    """Write to memcached with its own protocol."""
    command = f"set {key} 0 0 {len(data)}\r\n".encode() + data + b"\r\n"
    assert _ask(node, command) == b"STORED\r\n"


def peek(node: MemcachedNode, key: str) -> bytes:
    """Read from memcached with its own protocol."""
    answer = _ask(node, f"get {key}\r\n".encode())
    head, _, rest = answer.partition(b"\r\n")
    return rest[: int(head.split()[3])]


def _ask(node: MemcachedNode, command: bytes) -> bytes:
    with socket.create_connection(node.address, timeout=10) as connection:
        connection.sendall(command + b"quit\r\n")
        answer = b""
        while part := connection.recv(65_536):
            answer += part
    return answer
