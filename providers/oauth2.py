"""OAuth 2.0 (RFC 6749) with PKCE: the family, and the kind `oauth2` that needs configuration alone.

Owns the kind `oauth2` and its option table.
"""

from typing import Final

from providers.options import Form, Kind, Option

_PATH = "dotted path in the profile JSON, for example `data.id`"

OPTIONS: Final = (
    Option("authorize_url", "Where the browser is sent.", form=Form.URL, required=True),
    Option("token_url", "Where the code is exchanged.", form=Form.URL, required=True),
    Option(
        "profile_url", "Answers with a JSON object about the person, to a bearer token.", form=Form.URL, required=True
    ),
    Option("client_id", "The client this daemon is registered as.", required=True),
    Option("client_secret", "That client's secret.", required=True, secret=True),
    Option("scope", "What is asked for.", form=Form.WORDS),
    Option(
        "client_auth",
        "How the secret is shown at the token endpoint.",
        form=Form.CHOICE,
        default="basic",
        choices=("basic", "post"),
    ),
    Option("issuer", "What `iss` in the answer must be (RFC 9207), if the provider sends it.", form=Form.URL),
    Option("pkce", "Send a PKCE challenge; `no` only for a provider that refuses it.", form=Form.FLAG, default="yes"),
    Option("subject", f"The id that never changes hands: {_PATH}.", required=True),
    Option("handle", f"The name to suggest as username: {_PATH}."),
    Option("display_name", f"The name to show: {_PATH}."),
    Option("email", f"The e-mail address: {_PATH}."),
    Option(
        "email_verified", f"Whether the provider checked the address: {_PATH}; without it, it never counts as checked."
    ),
    Option("picture", f"The address of a picture: {_PATH}."),
)

KIND: Final = Kind(
    name="oauth2",
    label="OAuth 2",
    subject="whatever `subject` points to; choose what never changes hands",
    options=OPTIONS,
)
