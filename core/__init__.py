"""The core model: what to evaluate, what came out, and the life of a request."""
