"""Assay's own protocol: the core's words over HTTP, for all jobs, whatever face made them."""
