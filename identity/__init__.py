"""identityd: one login for any set of applications.

`docs/architecture.md` is the map; the layers and who may import whom are checked by
import-linter (`[tool.importlinter]` in pyproject.toml).
"""

__version__ = "0.1.0.dev0"
