"""DUSt3R's dense alignment: a similarity a pair, a pose, focal and depth map a view
(docs/dense_alignment.md).
"""
