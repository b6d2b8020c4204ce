"""Shapes of rows that are brought into the form that prompts and metrics use."""
