"""The kinds of login providers there are. Nothing else lives here.

To add one, write its file and name it below; the conformance kit must know it too
(docs/adding-a-provider.md).
"""

from collections.abc import Mapping
from typing import Final

from providers import demo, github, oauth2, oidc
from providers.options import Kind

REGISTRY: Final[Mapping[str, Kind]] = {kind.name: kind for kind in (demo.KIND, github.KIND, oauth2.KIND, oidc.KIND)}
