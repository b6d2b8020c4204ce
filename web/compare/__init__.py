"""Two results against each other: which is better, where it got worse, and why."""
