"""The pair networks DUSt3R and MASt3R: plain torch modules that load the published checkpoints."""
