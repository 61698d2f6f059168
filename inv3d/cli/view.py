"""`inv3d view`: the page of a finished head in a browser."""

from __future__ import annotations

from inv3d.cli.options import Debug, HeadFolder, Json


def view(head: HeadFolder, as_json: Json = False, debug: Debug = False) -> None:
    """Open the page of a finished head, on which it can be turned, in the browser.

    Without a display, its path is printed, to open it in a browser elsewhere.

    Example: inv3d view clip-inv3d
    """
    import webbrowser

    from inv3d.cli.terminal import document, teller
    from inv3d.core.errors import InputError

    page = (head / "view.html").absolute()
    if not page.is_file():
        raise InputError(
            f"{head} contains no page: view.html is missing", "name an output folder of this version of inv3d"
        )
    try:
        opened = webbrowser.open(page.as_uri())
    except webbrowser.Error:
        opened = False
    teller(as_json)(f"opened {page}" if opened else f"open in a browser: {page}")
    if as_json:
        document({"page": str(page), "opened": opened})
