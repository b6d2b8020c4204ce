"""From the core's words to Together's."""
