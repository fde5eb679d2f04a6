"""What a proven person hears who is not logged in, where no page of the catalogue says more.

Owns one sentence for each refusal.
"""

from typing import Final

from identity.accounts.linking import MOST_LINKS, Refusal

REFUSALS: Final = {
    Refusal.DISABLED: "This account is disabled. Ask whoever runs this service.",
    Refusal.SUSPENDED: "The provider closed your account there, or says that it may be in other hands. "
    "Log in another way, or ask whoever runs this service.",
    Refusal.AWAITS_APPROVAL: "Your account is made, and has to be approved before you can use it.",
    Refusal.REJECTED: "Your request for an account was not accepted.",
    Refusal.TOO_MANY_WAITING: "Too many requests for an account wait for approval. Try again later.",
    Refusal.MERGING: "This account is being joined with another one at this moment. Try again in a minute.",
    Refusal.MERGED: "This account was joined with another one. Log in with the other one.",
    Refusal.SIGN_UP_CLOSED: "There is no account for this login, and new ones are not made here.",
    Refusal.NOT_ADMITTED: "This login service is only for certain people, and your login is not one of theirs.",
    Refusal.NOT_INVITED: "There is no account for this login, and a new one is made with an invitation only.",
    Refusal.INVITATION_UNKNOWN: "This is not the whole link of an invitation, or the invitation is long over.",
    Refusal.INVITATION_EXPIRED: "This invitation is over.",
    Refusal.INVITATION_USED: "This invitation was used already.",
    Refusal.INVITATION_REVOKED: "This invitation was taken back.",
    Refusal.TOO_MANY_WAYS: f"An account has at most {MOST_LINKS} ways to log in. Remove one first.",
    Refusal.NO_ACCOUNT: "The account this login belongs to cannot be found. Ask whoever runs this service.",
}
