"""Files that users upload, and files that appear whole or not at all."""
