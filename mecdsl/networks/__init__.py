"""Layer tables of neural networks: files, ONNX, architectures."""
