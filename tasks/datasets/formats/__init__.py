"""How each format is read: a module each, which `tasks.datasets.readers` has in its table."""
