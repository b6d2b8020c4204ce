"""From the core's values to those of the native API."""
