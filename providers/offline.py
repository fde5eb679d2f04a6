"""Asking an OpenID provider for a refresh token, where the tokens of logins are kept (Core §11).

Pure. Most give one with the scope `offline_access`, and only together with the person's consent; some give
one to every client, and refuse a scope they do not know. Where a service has a way of its own, its kind says.
"""

from collections.abc import Mapping

from providers.discovery import Metadata


def offline(asked: Mapping[str, str], params: Mapping[str, str] | None, metadata: Metadata) -> dict[str, str]:
    """Return what is asked where the browser is sent, with what brings a refresh token.

    What the operator asks for counts before it: a `prompt` of his own may be one that a provider wants.

    | the service has    | discovery offers     | added                                  |
    |--------------------|----------------------|----------------------------------------|
    | a way of its own   | any                  | that                                   |
    | none               | offline_access, or   | scope offline_access, prompt=consent   |
    |                    | does not list scopes |                                        |
    | none               | other scopes         | nothing: what it gives it gives anyway |
    """
    if params is not None:
        return {**params, **asked}
    if not metadata.offline_access:
        return dict(asked)
    scope = " ".join(dict.fromkeys((*asked.get("scope", "").split(), "offline_access")))
    return {"prompt": "consent", **asked, "scope": scope}
