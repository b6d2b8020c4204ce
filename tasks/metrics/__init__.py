"""Metrics: one rule, one file, each a pure function of texts."""
