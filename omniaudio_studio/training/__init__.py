"""Networks, losses, trainers and ONNX export (torch)."""
