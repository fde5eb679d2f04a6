"""Who may have an account here.

Owns the decision at a login's end, before a username is asked for. Pure. Rules look at the provider and at what it
said in this login (`membership`), never at who the person is.

    sign_up  | a person without an account  | the same with an invitation | one with an account
    ---------+------------------------------+-----------------------------+---------------------------------
    open     | may sign up                  | may sign up                 | logs in
    rules    | may sign up if a rule holds  | may sign up                 | logs in; with `rules_at = login`,
             |                              |                             | if a rule holds or the account
             |                              |                             | was made with an invitation
    invited  | may not sign up              | may sign up                 | logs in
    closed   | may not sign up              | may not sign up             | logs in

With `approval`, who signs up without an invitation waits, and no login passes, until an operator approves.
"""

from dataclasses import dataclass
from enum import Enum

from identity.accounts.linking import Refusal
from identity.membership.rules import Entrant, FactRule, ProviderRule, any_holds


class SignUpMode(Enum):
    """Who may sign up."""

    OPEN = "open"
    RULES = "rules"
    INVITED = "invited"
    CLOSED = "closed"


class RulesAt(Enum):
    """When the rules are asked."""

    SIGN_UP = "sign-up"
    LOGIN = "login"


@dataclass(frozen=True, slots=True)
class Admission:
    """The operator's settings."""

    mode: SignUpMode = SignUpMode.OPEN
    rules: tuple[ProviderRule | FactRule, ...] = ()
    at: RulesAt = RulesAt.SIGN_UP
    approval: bool = False
    """Whether who signs up without an invitation waits for an operator."""

    def refusal(self, provider: str, facts: tuple[str, ...], *, newcomer: bool, invited: bool) -> Refusal | None:
        """Tell why a person may not go on; None if they may. Applies the table above.

        `invited`: a newcomer shows an invitation that is good, or the account was made with one.
        """
        if newcomer and self.mode is SignUpMode.CLOSED:
            return Refusal.SIGN_UP_CLOSED
        if invited:
            return None
        if newcomer and self.mode is SignUpMode.INVITED:
            return Refusal.NOT_INVITED
        asked = self.mode is SignUpMode.RULES and (newcomer or self.at is RulesAt.LOGIN)
        if asked and not any_holds(self.rules, Entrant("", provider, (), facts)):
            return Refusal.NOT_ADMITTED
        return None
