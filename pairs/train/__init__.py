"""The training losses of the papers, as data that can be composed and evaluated
(docs/training.md, "Composition").

For those who train in a program of their own; no command uses it.
"""
