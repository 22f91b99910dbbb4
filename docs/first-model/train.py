"""Train three digit classifiers, the last of them a mistake, and write what Longshore needs to serve them.

`python docs/first-model/train.py FOLDER` puts into FOLDER: the models, golden requests with their answers, one request
to send, and the manifests `fleet.yaml` (a target and the versions) and `digits.yaml` (a deployment of version 1).
"""

import hashlib
import json
import sys
from pathlib import Path
from typing import Any

import joblib
from sklearn.datasets import load_digits
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import train_test_split
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC

INFER = "/v2/models/digits/infer"

TARGET = """\
kind: Target
metadata: {name: workstation}
spec:
  backend: local
  hosts: [{name: here, accelerators: 6, acceleratorMemoryGiB: 16}]   # declared: this works without a GPU
"""

VERSION = """\
---
kind: ModelVersion
metadata: {{model: digits, version: "{version}"}}
spec:
  artifact: {{uri: "file://{path}", digest: "sha256:{digest}"}}
  server: {{command: [longshore-serve], smoke: {{path: /v2/models/digits/ready}}}}
  resources: {{accelerators: 1, acceleratorMemoryGiB: 8}}
  evaluation: {{accuracy: {accuracy:.3f}}}
"""

DEPLOYMENT = """\
kind: Deployment
metadata: {{name: digits, labels: {{team: search}}}}
spec:
  target: workstation
  model: digits
  version: "1"
  copies: 4
  rollout:
    batch: 1
    bake: 10s
    checks:
      - {{name: errors, metric: error-rate, max: 0.01, minSamples: 20}}
      - {{name: right, metric: accuracy, min: 0.9, source: {{golden: "file://{golden}"}}}}
"""


def main(folder: Path) -> None:
    """Train, save, and write the manifests."""
    folder.mkdir(parents=True, exist_ok=True)
    pixels, digits = load_digits(return_X_y=True)
    seen, unseen, labels, answers = train_test_split(pixels, digits, test_size=0.3, random_state=1)
    models = {
        "1": make_pipeline(StandardScaler(), LogisticRegression(max_iter=500)).fit(seen, labels),
        "2": SVC(gamma=0.001).fit(seen, labels),
        "3": SVC(gamma=0.5).fit(seen, labels),  # a slip of the decimal point
    }
    documents = [TARGET]
    for version, model in models.items():
        path = folder / f"digits-{version}.joblib"
        joblib.dump(model, path)
        digest = hashlib.sha256(path.read_bytes()).hexdigest()
        accuracy = model.score(unseen, answers)
        documents.append(VERSION.format(version=version, path=path, digest=digest, accuracy=accuracy))
    golden = folder / "golden.jsonl"
    with golden.open("w") as lines:
        for image, answer in list(zip(unseen, answers, strict=True))[:100]:
            expect = {"outputs": [{"data": [int(answer)]}]}
            lines.write(json.dumps({"path": INFER, "body": question(image), "expect": expect}) + "\n")
    (folder / "request.json").write_text(json.dumps(question(unseen[0])))
    (folder / "fleet.yaml").write_text("".join(documents))
    (folder / "digits.yaml").write_text(DEPLOYMENT.format(golden=golden))
    sys.stdout.write("".join(f"{path.name}\n" for path in sorted(folder.iterdir())))


def question(image: Any) -> dict[str, Any]:
    """An Open Inference request for one image of 8 by 8 pixels."""
    tensor = {"name": "input", "shape": [1, 64], "datatype": "FP64", "data": image.tolist()}
    return {"inputs": [tensor], "outputs": [{"name": "predict"}]}


if __name__ == "__main__":
    main(Path(sys.argv[1]).absolute())
