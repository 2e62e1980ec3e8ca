"""Write a report as one HTML file: pictures inside, no script, nothing fetched; everything a run says is escaped."""

from __future__ import annotations

import base64
import io
from collections.abc import Sequence
from importlib.resources import files
from itertools import groupby
from pathlib import Path
from typing import Any

from labctl.logs.lines import visible
from labctl.outputs import write_whole
from labctl.report import document as doc

WIDE = 1.6  #: width over height from which a picture is given the whole width: guess, single panels have 1.3
KINDS = {doc.Words: "words", doc.Facts: "facts", doc.Table: "table", doc.Figure: "figure"}


def write(document: doc.Document, path: Path) -> Path:
    """Write `document` to `path` (whole or not at all); returns `path`. Raises OSError."""
    write_whole(path, text(document).encode())
    return path


def text(document: doc.Document) -> str:
    """The page. Strict: a template that asks for what is not there raises."""
    import jinja2

    environment = jinja2.Environment(
        autoescape=True, undefined=jinja2.StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    environment.filters["seen"] = visible
    environment.filters["picture"] = _picture
    environment.filters["grouped"] = _grouped
    environment.filters["is_wide"] = _is_wide
    source = (files("labctl.report") / "page.html.j2").read_text(encoding="utf-8")
    return environment.from_string(source).render(document=document)


def _grouped(blocks: Sequence[Any]) -> list[tuple[str, list[Any]]]:
    """Blocks with their kind, pictures that follow one another together: they stand side by side where there is room."""
    groups = ((KINDS[kind], list(found)) for kind, found in groupby(blocks, type))
    return [
        (kind, part) for kind, found in groups for part in ([found] if kind == "figure" else [[one] for one in found])
    ]


def _is_wide(figure: doc.Figure) -> bool:
    """Whether a picture wants the whole width: several panels side by side, or a two-column one."""
    from PIL import Image

    with Image.open(io.BytesIO(figure.png)) as image:
        return image.width > WIDE * image.height


def _picture(svg: bytes) -> str:
    """A picture inside the page; as an image, so that nothing in it can run and no two share names."""
    return f"data:image/svg+xml;base64,{base64.b64encode(svg).decode('ascii')}"
