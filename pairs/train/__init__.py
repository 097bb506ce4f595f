"""The training losses of the papers, as data that can be composed and evaluated (the pair network's
specification, chapter 13).
"""
