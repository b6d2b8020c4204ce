"""Who may call a model when: within a job's limit, the model's bounds over all processes, and what it bears."""
