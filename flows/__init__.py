"""The one flow, its worker, and the layer that keeps job records in step with flow runs."""
