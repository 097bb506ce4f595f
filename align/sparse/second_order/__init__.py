"""The losses of MASt3R's sparse global alignment, minimised by damped least squares instead of gradient
descent.
"""
