"""What must never be printed. Imports nothing of ours."""


class Secret:
    """Bytes that must never be printed: `str`, `repr` and formatting give `***`.

    Not comparable on purpose (use `hmac.compare_digest` on `reveal()`), and not picklable.
    """

    __slots__ = ("_value",)

    def __init__(self, value: bytes | str) -> None:
        self._value = value.encode() if isinstance(value, str) else value

    def reveal(self) -> bytes:
        """Return the secret itself; call it only where it is used."""
        return self._value

    def text(self) -> str:
        """Return the secret as text, for protocols that carry it so."""
        return self._value.decode()

    def __bool__(self) -> bool:
        return bool(self._value)

    def __repr__(self) -> str:
        return "Secret(***)"

    def __str__(self) -> str:
        return "***"

    def __reduce__(self) -> str | tuple[object, ...]:
        raise TypeError("a Secret is not serialised")
