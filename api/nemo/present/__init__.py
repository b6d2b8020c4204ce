"""From the core's words to NVIDIA NeMo Evaluator's."""
