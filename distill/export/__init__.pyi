from . import card, facts, onnx_model, parity

__all__ = [
    "card",
    "facts",
    "onnx_model",
    "parity",
]
