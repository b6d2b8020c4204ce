"""How a model is asked: routes, attempts, limits, and what its replies mean."""
