"""Where the dense descent starts: along the tree of the most confident pairs, or from known cameras."""
