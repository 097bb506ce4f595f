"""From descriptors and points of two pictures to matching pixels, at the network's resolution and finer."""
