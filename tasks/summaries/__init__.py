"""What scores come to, and how sure that is: made of rows by `aggregator`, for parts of a job by `slices`.

A figure of one score is in `figures`, what the trials of a sample tell in `repeats`, what one counts as in `units`.
"""
