"""Where rows come from: requests, files here, hubs; and how each format is read."""
