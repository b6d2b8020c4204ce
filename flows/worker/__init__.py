"""Our worker, how it is woken, and Prefect's server as it is started here."""
