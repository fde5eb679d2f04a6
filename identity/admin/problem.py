"""What every answer is that says: not done."""

from abc import ABC, abstractmethod


class Problem(ABC):
    """Why a request was not carried out. Nothing was changed, unless the code is `outcome-unknown`."""

    __slots__ = ()

    @property
    @abstractmethod
    def code(self) -> str:
        """Stable; what programs compare."""
