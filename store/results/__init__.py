"""The results of jobs: journals, Parquet files, and the questions that are asked of them."""
