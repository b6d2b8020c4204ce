"""Whether a job's judges can be trusted."""
