"""A small model server that speaks the Open Inference Protocol (v2, REST): scikit-learn and ONNX models.

`longshore-serve --model "$(MODEL_PATH)"` is all a manifest needs; name, version, port and digest come from the
environment that the agent sets. It imports little before it has to, since copies are started by the batch.
"""

from longshore.backends.local.openinference.serve import main

__all__ = ["main"]
