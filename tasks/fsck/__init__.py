"""Check what is stored: everything that derives from something else is derived again."""
