"""What an installed program says of itself."""

import re
import subprocess


def major_version(path: str, option: str, pattern: str) -> int:
    """Ask a program for its version and return the number that the pattern finds; 0 if it does not say."""
    try:
        answer = subprocess.run([path, option], capture_output=True, text=True, timeout=20, check=True)
    except (OSError, subprocess.SubprocessError):
        return 0
    # Java says it on the second stream.
    found = re.search(pattern, answer.stdout + answer.stderr)
    return int(found[1]) if found else 0
