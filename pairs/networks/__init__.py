"""The pair networks DUSt3R and MASt3R: plain modules, and the reading of their published checkpoints."""
