"""What goes over the wire: Together's requests and responses."""
