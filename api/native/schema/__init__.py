"""What goes over the wire of the native API, in the core's words."""
