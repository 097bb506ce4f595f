"""Our aligner: bundle adjustment of poses, shared intrinsics and block depths over the matches of
all pairs.
"""
