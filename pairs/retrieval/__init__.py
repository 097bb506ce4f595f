"""How alike photos are, from the encoder of a pair network: which pairs are worth looking at
(docs/pair_networks.md, "Retrieval head").
"""
