"""The loop that keeps job records in step with their flow runs."""
