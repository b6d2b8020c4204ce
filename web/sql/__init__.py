"""A box for a query over all results, and its answer."""
