"""Together's evaluations and files."""
