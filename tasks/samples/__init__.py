"""One sample for a person to read: a whole one with its conversations, which columns tell what it is, and the worst."""
