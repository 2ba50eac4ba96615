"""The metrics that there are, with the defaults that each file declares."""

from tl_search import plugins
from tl_search.probe.measuring.metric import HOME, OfViews, find_metric

OPTIONS = {name: find_metric(name, {}).options for name in plugins.names(HOME)}
OF_VIEWS = {name for name in OPTIONS if isinstance(find_metric(name, {}), OfViews)}
