"""Where users' code runs, in processes that can be killed."""
