"""Generation with ONNX Runtime."""
