"""What is said of pairs and groups of views, and the store that keeps it."""
