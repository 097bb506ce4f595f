"""What two views say about each other: photos and masks in, predictions of pairs out.

    >>> from pairs import PredictionStore, Window, load_views, make_backend
    >>> views, notices = load_views("photos", "masks")
    >>> graph = Window(3).edges([view.name for view in views])
    >>> predictions = make_backend("classical").predict(views, graph, PredictionStore("store"), print)

`load_views` reads photos and masks; a `View` is one photo on its grid. `Complete`, `Window`, `LogWindow`,
`Ring`, `Star`, `Retrieval` and `FromFile` choose pairs; `parse_graph` reads one from text. `make_backend`
returns what looks at the photos by name (`backend_names` lists them): it answers with `Predictions` of pairs
(`PairEntry`: `PairPrediction` and `Matches`) or of a whole group (`GroupPrediction`). `read_predictions` and
`write_predictions` exchange them with other programs. Results are kept in a `PredictionStore`.
"""

from lazy_loader import attach_stub

# The names stand in the stub beside this file and are imported when they are first asked for: importing a
# package stays fast, and Ctrl-C is answered before torch is loaded.
__getattr__, __dir__, __all__ = attach_stub(__name__, __file__)
