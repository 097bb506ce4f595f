"""Whatever answers for the views of a scene: the protocol, the registry, and one wing for each backend."""
