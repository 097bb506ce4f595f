"""The dense losses minimised by damped least squares
(docs/dense_alignment.md, "Least squares on the same losses").
"""
