"""What is asked of lists and of a job's samples: filters, orders and pages, in the words of no vendor."""
