"""Templates of prompts and metrics: sandboxed, bounded, and known by what they read."""
