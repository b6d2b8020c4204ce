"""The HTTP side: each vendor's protocol as a face over the one core."""
