"""From NVIDIA NeMo Evaluator's words to the core's."""
