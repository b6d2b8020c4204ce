"""The routes of NVIDIA NeMo Evaluator's protocol."""
