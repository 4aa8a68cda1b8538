"""A run's network for other programs: an ONNX file that has been checked, and a model card."""
