"""What all views agree on: cameras, depth, the object.

    >>> from align import reconstruct, save_scene
    >>> from align.export import export_scene
    >>> scene = reconstruct("photos", "masks")
    >>> scene
    >>> export_scene(scene, "object.glb", "glb")

`reconstruct` goes from photos and masks to a `Scene` in one call. `align_predictions` starts from the
predictions of any network (`pairs.read_predictions`, or a backend of `pairs`); `align_components` keeps every
component of views that matches tie together, `align_connected` insists on one. In a finished scene `localize`
places new photos, and `register_views` further views of predictions. `PRESETS` holds the named settings;
`BundleOptions` (ours), `SparseOptions` (MASt3R's sparse global alignment) and `DenseOptions` (DUSt3R's dense
one) are what a `Preset` is made of, and `DEPTHS` where its depths may come from. `save_scene` and
`load_scene` keep a scene as a folder, `point_cloud` gives its coloured points, `evaluate` compares its
cameras with the truth.

Further rooms with public names: `align.export` (files for other programs), `align.show` (pictures),
`align.demo` (a rendered turntable with known truth).
"""

from lazy_loader import attach_stub

# The names stand in the stub beside this file and are imported when they are first asked for: importing a
# package stays fast, and Ctrl-C is answered before torch is loaded.
__getattr__, __dir__, __all__ = attach_stub(__name__, __file__)
