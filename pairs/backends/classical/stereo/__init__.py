"""Multi-view stereo of the embedded backend: plane sweep, semi-global matching, fusion."""
