"""What goes over the wire: NVIDIA NeMo Evaluator's requests and responses."""
