"""GitHub, and GitHub Enterprise on a host of its own.

Owns the kind `github` and its option table.
"""

from typing import Final

from providers.options import Form, Kind, Option

OPTIONS: Final = (
    Option("client_id", "The OAuth app this daemon is registered as.", required=True),
    Option("client_secret", "That app's secret.", required=True, secret=True),
    Option(
        "url", "Where GitHub is; another address for GitHub Enterprise.", form=Form.URL, default="https://github.com"
    ),
    Option("scope", "What is asked for.", form=Form.WORDS, default="read:user user:email"),
)

KIND: Final = Kind(
    name="github",
    label="GitHub",
    subject="numeric `id`; never the login, which is renamed and used again by others",
    options=OPTIONS,
)
