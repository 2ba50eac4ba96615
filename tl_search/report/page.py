"""How a report becomes one HTML page: it needs no network, no script and no second file.

Names and texts in a run may come from strangers. In each, HTML, control and direction characters are escaped and
secrets are masked, and the page's content security policy forbids scripts and loading anything.
"""

import base64
import hashlib
import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from tl_search.errors.printable import printable
from tl_search.figures.style import DARK, LIGHT

THEMES = {"light": LIGHT, "dark": DARK}


def rendered(template: str, filters: Mapping[str, Callable[..., Any]], **context: Any) -> str:
    """The page that a template of this folder gives; all pages have the style of `index.css`."""
    from jinja2 import Environment, FileSystemLoader, StrictUndefined
    from markupsafe import Markup

    here = Path(__file__).parent
    environment = Environment(
        loader=FileSystemLoader(here),
        autoescape=True,
        undefined=StrictUndefined,
        finalize=lambda value: value if isinstance(value, Markup) else _text(value),
        trim_blocks=True,
        keep_trailing_newline=True,
    )
    environment.filters.update(filters)
    css = (here / "index.css").read_text(encoding="utf-8")
    return environment.get_template(template).render(
        css=Markup(css),  # not from the run, and the policy allows it by its digest
        css_digest="sha256-" + base64.b64encode(hashlib.sha256(css.encode()).digest()).decode(),
        **context,
    )


def embedded(picture: bytes) -> Any:
    """A picture as the page holds it."""
    from markupsafe import Markup

    return Markup(base64.b64encode(picture).decode())


def _text(value: object) -> str:
    """The text as the page may show it; a number stays on one line with its unit."""
    return re.sub(r"(?<=\d) (?=%|(?:s|min|h|d|points)\b)", "\u00a0", printable(value))
