"""Attacks on a running service: each area of them is a module that says what it tries, and what came of it."""
