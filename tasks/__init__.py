"""The stages of a job as plain functions, and what they are made of: datasets, templates, endpoints, metrics.

The stages are `resolve` (with `check`, and `takeover` and `past` for a retry), `generate`, `judge` and `aggregate`.
They run on `engine`: `fulfil` pays for the `calls` of a shard, which are then `paid`, and `shard_end` is what a stage
came to. Scores become `summaries`; `samples` and `comparisons` are what people read of them.
"""
