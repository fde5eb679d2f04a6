"""The signing upstream, where tokens can be refreshed and taken back: refresh tokens rotate, and are good once.

A refresh token that is shown twice ends its whole family, as strict services have it: the tokens that
came of it are worth nothing any more.
"""

import secrets
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Final

from tests.support.client_proofs import is_client
from tests.support.upstream import ACCESS_TOKEN_PREFIX, CLIENT_ID, Upstream

REFRESH_PREFIX: Final = "canary-refresh-"


@dataclass
class GrantingUpstream(Upstream):
    """The provider, with refresh and revocation; both at the address of any POST, told apart by their forms."""

    gives_refresh: bool = True
    """Whether a login brings a refresh token."""
    rotates: bool = True
    expires_in: Any = 3600
    """What token answers say; None leaves it out."""
    repeats_id_token: bool = False
    """Whether a refresh brings an ID token."""
    during: Callable[[], None] = lambda: None
    """Called while a refresh is under way, after the old token is used up."""
    refusal: tuple[int, dict[str, Any]] | None = None
    """What a refresh is answered instead, without using anything up."""
    refreshes: int = 0
    """How often a refresh token was shown."""
    revocable: bool = True
    """Whether discovery says where tokens are taken back."""
    revocation_status: int = 200
    taken_back: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._good: dict[str, int] = {}
        self._used: dict[str, int] = {}
        self._families = 0
        self._granting = threading.Lock()
        super().__post_init__()

    def token(self, form: dict[str, str], authorization: str | None) -> tuple[int, dict[str, Any]]:
        """Exchange a code or a refresh token, or take a token back."""
        if "token" in form and "grant_type" not in form:
            return self._take_back(form, authorization)
        if form.get("grant_type") == "refresh_token":
            return self._refresh(form, authorization)
        status, answer = super().token(form, authorization)
        if status == 200:
            self._say_expiry(answer)
            if self.gives_refresh:
                with self._granting:
                    self._families += 1
                    answer["refresh_token"] = self._issued(self._families)
        return status, answer

    def discovery(self) -> dict[str, Any]:
        """Return the discovery document, with where tokens are taken back."""
        more = {"revocation_endpoint": f"{self.url}/revoke"} if self.revocable else {}
        return {**more, **super().discovery()}

    def forget_grants(self) -> None:
        """Let no refresh token be good any more, as when a person takes back a consent."""
        with self._granting:
            self._good.clear()

    def _refresh(self, form: dict[str, str], authorization: str | None) -> tuple[int, dict[str, Any]]:
        self.refreshes += 1
        if not self._proven(form, authorization):
            return 401, {"error": "invalid_client"}
        if self.refusal:
            return self.refusal
        shown = form.get("refresh_token", "")
        with self._granting:
            if shown in self._used:
                family = self._used[shown]
                self._good = {token: of for token, of in self._good.items() if of != family}
            if shown not in self._good:
                return 400, {"error": "invalid_grant"}
            token = self.issue_token(ACCESS_TOKEN_PREFIX)
            answer: dict[str, Any] = {"access_token": token, "token_type": "Bearer"}
            self._say_expiry(answer)
            if self.rotates:
                family = self._used[shown] = self._good.pop(shown)
                answer["refresh_token"] = self._issued(family)
        if self.repeats_id_token:
            answer["id_token"] = self.id_token("", token)
        self.during()
        self.edit_grant(answer)
        return 200, answer

    def _take_back(self, form: dict[str, str], authorization: str | None) -> tuple[int, dict[str, Any]]:
        if not self._proven(form, authorization):
            return 401, {"error": "invalid_client"}
        if self.revocation_status != 200:
            return self.revocation_status, {"error": "temporarily_unavailable"}
        self.taken_back.append(form["token"])
        with self._granting:
            self._good.pop(form["token"], None)
        return 200, {}

    def _proven(self, form: dict[str, str], authorization: str | None) -> bool:
        return is_client(form, authorization, known=(CLIENT_ID, self.secret))

    def _issued(self, family: int) -> str:
        token = REFRESH_PREFIX + secrets.token_urlsafe(16)
        self._good[token] = family
        return token

    def _say_expiry(self, answer: dict[str, Any]) -> None:
        answer.pop("expires_in", None)
        if self.expires_in is not None:
            answer["expires_in"] = self.expires_in
