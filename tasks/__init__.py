"""The stages of a job as plain functions, and what they are made of: datasets, templates, endpoints, metrics."""
