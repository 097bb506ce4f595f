"""DUSt3R and MASt3R as backends."""
