"""Where the work of the backends runs: processes here, or a Ray cluster."""
