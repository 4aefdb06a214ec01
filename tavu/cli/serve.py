"""tavu serve: serve a model as a web page and an API."""

import sys
from pathlib import Path
from typing import Annotated

import typer


def serve(
    model: Annotated[Path, typer.Argument(help="A run folder, a model file, or the name of a model that comes with tavu.")],
    host: Annotated[str, typer.Option(help="Address to listen on. Any but localhost requires an API key.", rich_help_panel="Access")] = "127.0.0.1",
    port: Annotated[int, typer.Option(help="Port to listen on; 0 picks a free one.", min=0, max=65535, rich_help_panel="Access")] = 8000,
    api_key_file: Annotated[
        Path | None,
        typer.Option(
            help="File with the hashes of valid API keys. If it does not exist, it is created and its key shown once.", rich_help_panel="Access"
        ),
    ] = None,
    allow_host: Annotated[
        list[str] | None,
        typer.Option(
            help="Also accept requests for this host name, e.g. host.docker.internal. Default: localhost only, or any host with an API key.",
            rich_help_panel="Access",
        ),
    ] = None,
    allow_origin: Annotated[
        list[str] | None,
        typer.Option(help="A website that may call the API from a browser, e.g. http://localhost:5173. Can be repeated.", rich_help_panel="Access"),
    ] = None,
    root_path: Annotated[str, typer.Option(help="The path of this server behind a proxy, e.g. /tavu.", rich_help_panel="Access")] = "",
    log_prompts: Annotated[bool, typer.Option("--log-prompts", help="Also log the text of prompts. Off by default.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print the address as one line of JSON once the server is listening.")] = False,
) -> None:
    """Serve a model locally: a story studio in the browser and an OpenAI-compatible API. Ctrl-C stops it.

    Example: tavu serve stories
    """
    import logging
    import re

    from tavu.cli.json_line import print_json_line
    from tavu.errors import TavuError
    from tavu.stored_model import open_model

    try:
        from tavu.serving.api import create_app
        from tavu.serving.callers import callers_of, is_loopback
        from tavu.serving.server import listen, make_server
    except ModuleNotFoundError as error:
        raise TavuError(f"`tavu serve` needs {error.name}, which is not installed. Install it with `pip install 'tavu[serve]'`.") from None
    from tavu.serving.keys import Keys, keys_of, make_key_file, new_key, read_key_file
    from tavu.serving.limits import Limits

    if not is_loopback(host) and api_key_file is None:
        advice = "Name a file with --api-key-file: if it does not exist, a key is created and shown once. Or omit --host"
        raise TavuError(f"--host is {host}, which others can reach, and without an API key anyone could use the server. {advice}.")
    if root_path and not re.fullmatch(r"(/[A-Za-z0-9._~-]+)+/?", root_path):
        raise TavuError(f"--root-path is {root_path!r}, expected a path that begins with a slash, as in /tavu.")
    callers = callers_of(allow_host or (), allow_origin or (), any_host=api_key_file is not None and not allow_host)
    keys, shown = Keys(), None
    if api_key_file is not None and api_key_file.exists():
        keys = read_key_file(api_key_file)
    elif api_key_file is not None:
        shown = new_key()
        keys = keys_of(shown)
    stored, limits = open_model(model), Limits()
    app = create_app(stored, keys=keys, limits=limits, callers=callers, root_path=root_path.rstrip("/"), log_prompts=log_prompts)
    listener = listen(host, port)
    if shown and api_key_file:
        make_key_file(api_key_file, shown)  # last, so that a failed start leaves no key file whose key was never shown
        print(f"API key, shown this once (its hash is in {api_key_file}): {shown}", file=sys.stderr)
    address = f"http://{f'[{host}]' if ':' in host else host}:{listener.getsockname()[1]}"
    print(f"The studio of {stored.name}: {address}/    the API: {address}/v1    its description: {address}/docs", file=sys.stderr, flush=True)
    if as_json:
        print_json_line({"url": address, "model": stored.name})
        sys.stdout.flush()
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s", stream=sys.stderr)
    logging.getLogger("uvicorn").setLevel(logging.WARNING)
    make_server(app, limits).run(sockets=[listener])
