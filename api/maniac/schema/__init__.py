"""What goes over the wire: Maniac's requests and responses."""
