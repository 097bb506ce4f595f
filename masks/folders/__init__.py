"""What lies in a folder of photos, by first bytes and names."""
