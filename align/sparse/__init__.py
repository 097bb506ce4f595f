"""The sparse global aligner: poses, focals and anchor depths that fit the pair predictions of all views at
once.
"""
