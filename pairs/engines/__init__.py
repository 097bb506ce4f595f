"""Where the work of the backends runs: in processes of this machine, or on a Ray cluster."""
