"""What the faces share of lists: their grammar, pages and times."""
