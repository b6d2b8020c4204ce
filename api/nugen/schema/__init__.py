"""What goes over the wire: Nugen's requests and responses."""
