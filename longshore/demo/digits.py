"""The data: the UCI handwritten digits that scikit-learn ships, split into training, golden and traffic pictures."""

import json
from pathlib import Path
from typing import Any, NamedTuple

HELD_OUT = 800
"""Of 1,797 pictures; no classifier sees these in training."""
GOLDEN = 40
"""Of the held-out ones: the known answers that a copy is asked. The others are the traffic."""
SEED = 1
INPUT = "input-0"
OUTPUT = "predict"


class Digits(NamedTuple):
    """Pictures as rows of 64 grey levels, and what they show."""

    pictures: Any
    labels: Any


class Split(NamedTuple):
    """Who sees which pictures."""

    training: Digits
    held_out: Digits

    @property
    def golden(self) -> Digits:
        """Pictures whose answers are known to the checks."""
        return Digits(self.held_out.pictures[:GOLDEN], self.held_out.labels[:GOLDEN])

    @property
    def traffic(self) -> Digits:
        """Pictures that clients send."""
        return Digits(self.held_out.pictures[GOLDEN:], self.held_out.labels[GOLDEN:])


class Question(NamedTuple):
    """One inference request, and its right answer."""

    body: dict[str, Any]
    label: int


def split() -> Split:
    """The same split every time, every digit as frequent on both sides."""
    from sklearn.datasets import load_digits
    from sklearn.model_selection import train_test_split

    pictures, labels = load_digits(return_X_y=True)
    parts = train_test_split(pictures, labels, test_size=HELD_OUT, random_state=SEED, stratify=labels)
    return Split(training=Digits(parts[0], parts[2]), held_out=Digits(parts[1], parts[3]))


def questions(digits: Digits) -> list[Question]:
    """A request of the Open Inference Protocol for each picture."""
    return [
        Question(
            body={
                "inputs": [{"name": INPUT, "shape": [1, len(picture)], "datatype": "FP64", "data": picture}],
                "outputs": [{"name": OUTPUT}],
            },
            label=label,
        )
        for picture, label in zip(digits.pictures.tolist(), digits.labels.tolist(), strict=True)
    ]


def infer_path(model: str) -> str:
    """Where a copy takes inference requests."""
    return f"/v2/models/{model}/infer"


def label_of(answer: Any) -> int | None:
    """The digit that an answer names; None if it names none."""
    try:
        return int(answer["outputs"][0]["data"][0])
    except (KeyError, IndexError, TypeError, ValueError):
        return None


def write_golden(file: Path, path: str, digits: Digits) -> None:
    """Write the golden requests as the accuracy check reads them."""
    lines = (
        {"path": path, "body": question.body, "expect": {"outputs": [{"data": [question.label]}]}}
        for question in questions(digits)
    )
    file.write_text("".join(f"{json.dumps(line)}\n" for line in lines))


def write_request(file: Path, digits: Digits) -> None:
    """Write the body of one request, for people to send: `curl -d @request.json`."""
    file.write_text(json.dumps(next(iter(questions(digits))).body))
