"""Replace a lock by a line that includes another and the packages it adds to that one.

python .github/added.py requirements.lock requirements-test.lock
"""

import re
import sys
from pathlib import Path


def packages(lock: Path) -> list[str]:
    """Return the entries of a lock, each a package with its hashes."""
    return re.findall(r"^[\w.-]+==.*\n(?:    .*\n)*", lock.read_text(encoding="utf-8"), re.M)


base, lock = map(Path, sys.argv[1:])
held = set(packages(base))
lock.write_text(f"-r {base.name}\n" + "".join(p for p in packages(lock) if p not in held), "utf-8")
