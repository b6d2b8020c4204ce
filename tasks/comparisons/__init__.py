"""Two results held against each other: which samples are the same, and what each side's scores are on them."""
