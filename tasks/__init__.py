"""The stages of a job as plain functions, and what they are made of: datasets, templates, endpoints, metrics.

The stages are `resolve` (with `check`, and `takeover` and `past` for a retry), `generate`, `judge` and `aggregate`.
They run on `engine`: `fulfil` pays for the `calls` of a shard, which are then `paid`, and `shard_end` is what a stage
came to. Figures are made of scores by `summaries`, with `figures`, `repeats` and `units`. Results are read by `sample`,
a whole one with its `conversation`s, `slices` and `worst`.
"""
