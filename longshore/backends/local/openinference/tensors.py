"""Tensors as the protocol writes them in JSON, and as numpy has them."""

import math
from typing import Any

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[Any]

_DTYPES = {
    "BOOL": np.dtype(np.bool_),
    "UINT8": np.dtype(np.uint8),
    "UINT16": np.dtype(np.uint16),
    "UINT32": np.dtype(np.uint32),
    "UINT64": np.dtype(np.uint64),
    "INT8": np.dtype(np.int8),
    "INT16": np.dtype(np.int16),
    "INT32": np.dtype(np.int32),
    "INT64": np.dtype(np.int64),
    "FP16": np.dtype(np.float16),
    "FP32": np.dtype(np.float32),
    "FP64": np.dtype(np.float64),
}
_NAMES = {dtype: name for name, dtype in _DTYPES.items()}
_ACCEPTED = {"b": "b", "u": "iu", "i": "iu", "f": "iuf"}
"""Kind of the datatype → kinds of JSON numbers taken for it; nothing is parsed from text or cut to whole numbers."""


class RequestError(Exception):
    """A request that cannot be answered: the HTTP status, and one line that says why."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status
        self.message = message


def datatype_of(dtype: np.dtype[Any]) -> str:
    """The protocol's name of a dtype; text and objects are BYTES."""
    return _NAMES.get(dtype.newbyteorder("="), "BYTES")


def decode(tensor: dict[str, Any]) -> Array:
    """An input tensor as an array of its own shape; data may be flat or nested, in row-major order.

    Raises:
        RequestError: 400, it is not a tensor, or its data do not fit its shape and datatype.
    """
    name, shape, datatype = tensor.get("name"), tensor.get("shape"), tensor.get("datatype")
    if not isinstance(name, str):
        raise RequestError(400, "every input needs a name")
    if not isinstance(shape, list) or not all(type(size) is int and size >= 0 for size in shape):
        raise RequestError(400, f"input {name!r}: shape is a list of whole numbers from 0")
    if datatype != "BYTES" and datatype not in _DTYPES:
        raise RequestError(400, f"input {name!r}: datatype {datatype!r} is not one of {', '.join(_DTYPES)}, BYTES")
    if not isinstance(tensor.get("data"), list):
        raise RequestError(400, f"input {name!r}: data is a list")
    array = _array(name, datatype, tensor["data"])
    if array.size != math.prod(shape):
        raise RequestError(400, f"input {name!r}: shape {shape} has {math.prod(shape)} elements, data {array.size}")
    return array.reshape(shape)


def encode(name: str, array: Array) -> dict[str, Any]:
    """An output tensor, its data flat."""
    datatype = datatype_of(array.dtype)
    data = array.ravel().tolist()
    if datatype == "BYTES":
        data = [element.decode() if isinstance(element, bytes) else str(element) for element in data]
    return {"name": name, "datatype": datatype, "shape": list(array.shape), "data": data}


def _array(name: str, datatype: str, data: list[Any]) -> Array:
    try:
        array = np.asarray(data)
    except ValueError:
        raise RequestError(400, f"input {name!r}: the rows of data differ in length") from None
    if datatype == "BYTES":
        if array.size and array.dtype.kind != "U":
            raise RequestError(400, f"input {name!r}: data of BYTES are strings")
        return array.astype(object)
    dtype = _DTYPES[datatype]
    if array.size and array.dtype.kind not in _ACCEPTED[dtype.kind]:
        array = _large_integers(name, datatype, data)
    try:
        with np.errstate(over="ignore"):
            cast = array.astype(dtype)
    except OverflowError:
        raise RequestError(400, f"input {name!r}: data do not fit into {datatype}") from None
    fits = np.array_equal(cast, array) if dtype.kind in "iu" else np.array_equal(np.isfinite(cast), _finite(array))
    if not fits:
        raise RequestError(400, f"input {name!r}: data do not fit into {datatype}")
    return cast


def _large_integers(name: str, datatype: str, data: list[Any]) -> Array:
    """Whole numbers that numpy made floats or objects of, since no one integer type holds them all."""
    array = np.asarray(data, dtype=object)
    if datatype == "BOOL" or not all(type(element) is int for element in array.ravel()):
        raise RequestError(400, f"input {name!r}: data are not all {datatype}")
    return array


def _finite(array: Array) -> Array:
    return np.ones(array.shape, dtype=bool) if array.dtype.kind == "O" else np.isfinite(array)
