"""Tries every single death of every story alone: `python tests/scenarios/soaking_deaths.py [STORY…]`.

It takes a few seconds a death and tells of each; 1 in the end when one of them changed the course.
"""

import argparse
import sys

from test_deaths import STORIES, dying, played, without_instants


def main() -> int:
    """Play, and compare."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("stories", nargs="*", choices=[*STORIES, []], metavar="STORY")
    changed = 0
    for story in options.parse_args().stories or STORIES:
        calm, moments = played(story), len(dying(story, "0")["moments"])
        for moment in range(1, moments + 1):
            stormy = dying(story, str(moment))
            died = [f"{when} {name}" for name, when, died in stormy["moments"] if died]
            same = without_instants(stormy["answer"], story) == without_instants(calm, story) and len(died) == 1
            changed += not same
            sys.stdout.write(f"{story} {moment}/{moments} {', '.join(died)}: {'same' if same else 'CHANGED'}\n")
            sys.stdout.flush()
    return 1 if changed else 0


if __name__ == "__main__":
    sys.exit(main())
