"""What the faces share of HTTP: bodies, keys, errors, and requests that come again."""
