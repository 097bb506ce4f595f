"""How alike photos are, from the encoder of a pair network: which pairs are worth looking at (the pair
network's specification, chapter 12).
"""
