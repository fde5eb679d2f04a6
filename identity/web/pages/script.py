"""The one script of the pages: it spells times in the reader's own time zone, which only the browser knows.

It stands in the page, and the policy allows it by the hash of its bytes: any other script stays forbidden,
also one that an application on the same host serves. Without it the times are in UTC.
"""

from base64 import b64encode
from hashlib import sha256
from pathlib import Path
from typing import Final

LOCAL_TIMES: Final = Path(__file__).with_name("local_times.js").read_text("utf-8")
SOURCE: Final = f"'sha256-{b64encode(sha256(LOCAL_TIMES.encode()).digest()).decode()}'"
"""What a Content-Security-Policy calls it (CSP 3 §2.3.1)."""
