"""What the pair predictions say of views and pairs, gathered before any aligner runs."""
