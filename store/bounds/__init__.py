"""What processes know together of the bounds of models: in Redis where it is set, else in the job database."""
