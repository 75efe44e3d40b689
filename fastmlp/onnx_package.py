"""The package onnx, or what to install for it: the only place that imports it."""

from fastmlp.messages import not_installed

try:
    import onnx
    from google.protobuf.message import DecodeError
except ModuleNotFoundError as missing:
    raise not_installed("a file of ONNX", "onnx", "onnx", missing) from missing

__all__ = ["DecodeError", "onnx"]
