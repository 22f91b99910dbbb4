"""Paste the timeline of every rehearsal of the library into its page: `python docs/paste_rehearsals.py`.

A test fails when what is pasted is not what a rehearsal says.
"""

import re
import subprocess
import sys
from pathlib import Path

LIBRARY = Path(__file__).parent / "rehearsals"
PAGE = LIBRARY / "README.md"
PASTED = re.compile(r"^### ([a-z-]+)\n\n\[\1\.yaml\]\(\1\.yaml\)\n\n```\n(.*?)^```$", re.MULTILINE | re.DOTALL)
"""A rehearsal's heading, its file, and its timeline."""


def rehearsals() -> list[Path]:
    """The files of the library."""
    return sorted(LIBRARY.glob("*.yaml"))


def timeline(path: Path) -> str:
    """What `longshore rehearse -f FILE` prints."""
    command = [sys.executable, "-m", "longshore.cli", "rehearse", "-f", str(path), "-o", "table"]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout


def pasted() -> dict[str, str]:
    """Rehearsal → its timeline as the page has it."""
    return dict(PASTED.findall(PAGE.read_text()))


def main() -> None:
    """Paste all of them anew."""
    page = PAGE.read_text()
    PAGE.write_text(PASTED.sub(lambda one: _section(one.group(1)), page))


def _section(name: str) -> str:
    return f"### {name}\n\n[{name}.yaml]({name}.yaml)\n\n```\n{timeline(LIBRARY / f'{name}.yaml')}```"


if __name__ == "__main__":
    main()
