"""The routes of Together's protocol."""
