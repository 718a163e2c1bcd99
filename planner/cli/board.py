"""`plan board`: one live page on which the limits of a request are moved."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from planner.cli.options import cache_option

if TYPE_CHECKING:
    from planner.board.serve import Links


@click.command()
@click.argument("given_files", metavar="FILE.YAML", nargs=-1, required=True)
@cache_option
@click.option("--port", type=click.IntRange(0, 65535), default=0, show_default=True, help="Port; 0: any that is free.")
@click.option("--no-browser", is_flag=True, help="Open no browser; print the address only.")
@click.option("--share", is_flag=True, help="Print a second link with its own token, for the local network.")
@click.option(
    "--read-only", is_flag=True, help="Through the shared link (without --share: the only one) nothing can be changed."
)
@click.option(
    "--static", type=click.Path(), metavar="OUT.HTML", help="Write one file that answers other limits without a server."
)
def board(
    given_files: tuple[str, ...], port: int, static: str | None, *, no_browser: bool, share: bool, read_only: bool
) -> None:
    """Open one live page for a budget negotiation: move any limit, and the best plan follows.

    FILE.YAML is a problem, or a portfolio, whose days are dragged in a calendar; several become a menu.
    Serves the page on this machine until Ctrl-C. The first line on stdout is its address, with a token that only its
    holders know. Several people follow and move the same board through it. Needs the extra board:
    pip install 'plan-training[board]'.
    """
    from planner.board.given import check_count, given_file
    from planner.board.serve import ServeOptions, require_libraries, serve

    check_count(given_files)
    if static is not None:
        return _write_static(given_files, static)
    require_libraries()
    files = tuple(given_file(path) for path in given_files)

    def tell(links: Links) -> None:
        """Prints the addresses and opens the page."""
        click.echo(links.own)
        if links.shared:
            click.echo(f"on the local network: {links.shared}", err=True)
        if not no_browser:
            click.launch(links.own)

    return serve(files, ServeOptions(port, share, read_only), tell)


def _write_static(given_files: tuple[str, ...], path: str) -> None:
    """Writes the board of one problem as a file."""
    from planner.board.given import Given
    from planner.board.static_page import static_page
    from planner.files import write_whole

    if len(given_files) > 1:
        raise click.UsageError("--static holds one problem: give one file")
    write_whole(path, static_page(Given.read(given_files[0])))
