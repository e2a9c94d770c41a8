"""The page for operators: three files that load nothing from anywhere else."""

from __future__ import annotations

from pathlib import Path

from fastapi import APIRouter
from starlette.responses import Response

router = APIRouter()

DIRECTORY = Path(__file__).parent
FILES = {
    "/": ("page.html", "text/html; charset=utf-8"),
    "/page.js": ("page.js", "text/javascript; charset=utf-8"),
    "/page.css": ("page.css", "text/css; charset=utf-8"),
}


def _add(path: str, name: str, media_type: str) -> None:
    content = (DIRECTORY / name).read_bytes()

    async def serve() -> Response:
        return Response(content, media_type=media_type)

    router.add_api_route(path, serve, include_in_schema=False)


for _path, (_name, _media_type) in FILES.items():
    _add(_path, _name, _media_type)
