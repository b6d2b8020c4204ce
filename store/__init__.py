"""What is kept on disk: job records, files, secrets, and each job's results."""
