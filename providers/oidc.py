"""OpenID Connect by discovery: any provider that publishes `/.well-known/openid-configuration`.

Owns the kind `oidc` and its option table.
"""

from typing import Final

from providers.idtoken import ALGORITHMS
from providers.options import Form, Kind, Option

OPTIONS: Final = (
    Option("issuer", "The provider's issuer, exactly as it writes it itself.", form=Form.URL, required=True),
    Option("client_id", "The client this daemon is registered as.", required=True),
    Option("client_secret", "That client's secret.", required=True, secret=True),
    Option("scope", "What is asked for; `openid` must be among it.", form=Form.WORDS, default="openid profile email"),
    Option(
        "client_auth",
        "How the secret is shown at the token endpoint; `auto` takes what discovery offers, `basic` first.",
        form=Form.CHOICE,
        default="auto",
        choices=("auto", "basic", "post"),
    ),
    Option(
        "endpoint_hosts",
        "Hosts (`host` or `host:port`) besides the issuer's own on which discovery may name endpoints.",
        form=Form.WORDS,
    ),
    Option(
        "algorithms",
        "Signatures accepted on ID tokens, as far as discovery offers them too.",
        form=Form.WORDS,
        default=" ".join(ALGORITHMS),
    ),
    Option(
        "userinfo",
        "Ask the userinfo endpoint too, for providers that keep names out of ID tokens; one more call per login.",
        form=Form.FLAG,
        default="no",
    ),
)

KIND: Final = Kind(
    name="oidc",
    label="OpenID Connect",
    subject="`iss` + `sub`: one configured name is one pinned issuer",
    options=OPTIONS,
)
