"""The routes of Maniac's protocol."""
