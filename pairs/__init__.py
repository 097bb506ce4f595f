"""What two views say about each other: views, scene graphs, predictions, the store and the backends."""
