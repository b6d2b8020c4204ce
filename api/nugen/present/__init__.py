"""From the core's words to Nugen's."""
