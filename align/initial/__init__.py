"""First poses: relative poses of pairs, spanning trees, motion averaging, known poses, resection."""
