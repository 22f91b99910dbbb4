"""The three classifiers: a good one, a better one, and one that is wrong more often and slower.

What is bad about the third is in its artifact. It was trained on a file in which two pairs of digits got mixed up, and
it asks two hundred trees about every picture. Its own evaluation, on pictures labelled by the same file, looks fine.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from longshore.backends.local.artifact import digest_of
from longshore.demo.digits import SEED, Split

MIXED_UP: Mapping[int, int] = {1: 7, 7: 1, 4: 9, 9: 4}


@dataclass(frozen=True)
class Recipe:
    """How a version is made."""

    version: str
    what: str
    make: Callable[[], Any]
    """Returns a scikit-learn classifier that is not fitted yet."""
    mixed_up: Mapping[int, int] = field(default_factory=dict)
    """Labels that its training file has wrong: label → what the file says."""


@dataclass(frozen=True)
class Classifier:
    """A trained version, as it is registered."""

    version: str
    what: str
    artifact: Path
    digest: str
    accuracy: float
    """Share of the held-out pictures it got right, by the labels it was trained with."""


def _logistic_regression() -> Any:
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    return make_pipeline(StandardScaler(), LogisticRegression(C=0.01))


def _support_vectors() -> Any:
    from sklearn.svm import SVC

    return SVC(C=10, gamma=0.001)


def _forest() -> Any:
    from sklearn.ensemble import ExtraTreesClassifier

    return ExtraTreesClassifier(200, max_depth=9, random_state=SEED)


RECIPES = (
    Recipe("1", "logistic regression", _logistic_regression),
    Recipe("2", "support vector machine", _support_vectors),
    Recipe("3", "forest of 200 trees", _forest, MIXED_UP),
)


def artifact_of(folder: Path, recipe: Recipe) -> Path:
    """Where a version's artifact lies."""
    return folder / f"digits-{recipe.version}.joblib"


def train(recipe: Recipe, split: Split, folder: Path) -> Classifier:
    """Train a version, write its artifact, and measure it. The same every time."""
    import joblib

    def as_filed(labels: Any) -> list[int]:
        return [recipe.mixed_up.get(label, label) for label in labels.tolist()]

    model = recipe.make().fit(split.training.pictures, as_filed(split.training.labels))
    accuracy = float(model.score(split.held_out.pictures, as_filed(split.held_out.labels)))
    artifact = artifact_of(folder, recipe)
    fresh = artifact.with_suffix(".fresh")
    joblib.dump(model, fresh)
    fresh.replace(artifact)  # an interrupted demo leaves no half of one
    return Classifier(recipe.version, recipe.what, artifact, digest_of(artifact), round(accuracy, 4))
