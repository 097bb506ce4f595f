"""The training losses of the papers, as data that can be composed and evaluated
(docs/training.md, "Composition").
"""
