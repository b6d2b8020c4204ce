"""Signing in, and the tokens of forms."""
