"""Brings into the documentation site what lies outside `docs/`: the README as its home, and files that pages link to.

`mkdocs.yml` names this module as a hook. Links stay as they are in the checkout, so that they work there too.
"""
# ruff: noqa: INP001  (a hook of MkDocs)

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files

ROOT: Final = Path(__file__).resolve().parent.parent
PAGES: Final = {"README.md": "index.md", "CONTRIBUTING.md": "CONTRIBUTING.md", "CHANGELOG.md": "CHANGELOG.md"}
"""Pages at the top of the checkout, and where they stand in the site."""
LISTED: Final = {"problems": "Problem and run files", "schema": "JSON schemas"}
"""Folders that get a page with a link to each file, and its title."""
FOLDERS: Final = ("catalogs", *LISTED)
_UPWARDS: Final = re.compile(r"\]\((?:\.\./|docs/)")
_FOLDER: Final = re.compile(rf"\]\(({'|'.join(FOLDERS)})(?:/runs)?\)")


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Adds the pages and files from outside `docs/`."""
    for name, target in PAGES.items():
        files.append(File.generated(config, target, abs_src_path=str(ROOT / name)))
    for folder, title in LISTED.items():
        files.append(File.generated(config, f"{folder}.md", content="\n".join(_listing(folder, title))))
    for path in (path for folder in FOLDERS for path in _files_in(folder)):
        files.append(File.generated(config, path, abs_src_path=str(ROOT / path)))
    return files


def on_page_markdown(markdown: str, **_: object) -> str:
    """The page with links as they are in the site, where everything stands beside the pages."""
    return _FOLDER.sub(r"](\1.md)", _UPWARDS.sub("](", markdown))


def _listing(folder: str, title: str) -> Iterator[str]:
    """A page that links to every file of a folder."""
    yield from (f"# {title}", "")
    yield from (f"- [{path}]({path})" for path in _files_in(folder))


def _files_in(folder: str) -> list[str]:
    """The files of a folder, as paths from the top of the checkout."""
    return [str(path.relative_to(ROOT)) for path in sorted((ROOT / folder).rglob("*")) if path.is_file()]
