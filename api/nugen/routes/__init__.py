"""The routes of Nugen's protocol."""
