"""The face of NVIDIA NeMo Evaluator."""
