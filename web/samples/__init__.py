"""The samples of a job: a table of them, and the page of one."""
