"""A job, what it is held against, and its most telling samples as one file, which opens without the service."""
