"""tavu serve: a model as a page for people and an API for programs."""

import sys
from pathlib import Path
from typing import Annotated

import typer


def serve(
    model: Annotated[Path, typer.Argument(help="A run folder, a model file, or the name of a model that comes with tavu.")],
    host: Annotated[
        str, typer.Option(help="Where to listen. Elsewhere than on this machine itself it takes an API key.", rich_help_panel="Access")
    ] = "127.0.0.1",
    port: Annotated[int, typer.Option(help="0 takes one that is free.", min=0, max=65535, rich_help_panel="Access")] = 8000,
    api_key_file: Annotated[
        Path | None,
        typer.Option(
            help="Hashes of the keys that open the server. A file that is not there yet is made, and its key shown once.", rich_help_panel="Access"
        ),
    ] = None,
    allow_host: Annotated[
        list[str] | None,
        typer.Option(
            help="A name, besides this machine's own, by which it may be asked, as host.docker.internal. With a key any will do if none is given.",
            rich_help_panel="Access",
        ),
    ] = None,
    allow_origin: Annotated[
        list[str] | None,
        typer.Option(help="A site whose pages may ask the API from a browser, as http://localhost:5173. May be repeated.", rich_help_panel="Access"),
    ] = None,
    root_path: Annotated[str, typer.Option(help="The path under which a proxy shows this server, as /tavu.", rich_help_panel="Access")] = "",
    log_prompts: Annotated[bool, typer.Option("--log-prompts", help="Write to the log what is asked, too. It is not, unless you say so.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Once it listens, print its address as one line of JSON.")] = False,
) -> None:
    """Serve a model: a story studio in the browser, and OpenAI's API; nothing leaves the machine. Ctrl-C stops it.

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
        raise TavuError(f"To serve takes {error.name}, which is not installed. Install it with `pip install 'tavu[serve]'`.") from None
    from tavu.serving.keys import Keys, keys_of, make_key_file, new_key, read_key_file
    from tavu.serving.limits import Limits

    if not is_loopback(host) and api_key_file is None:
        advice = "Name a file with --api-key-file: if it is not there, a key is made and shown once. Or leave out --host"
        raise TavuError(f"--host is {host}, where others reach the server, and without an API key anybody could use it. {advice}.")
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
        make_key_file(api_key_file, shown)  # last, so that a start that fails leaves no file behind, and no key unseen
        print(f"API key, shown this once (its hash is in {api_key_file}): {shown}", file=sys.stderr)
    address = f"http://{f'[{host}]' if ':' in host else host}:{listener.getsockname()[1]}"
    print(f"The studio of {stored.name}: {address}/    the API: {address}/v1    its description: {address}/docs", file=sys.stderr, flush=True)
    if as_json:
        print_json_line({"url": address, "model": stored.name})
        sys.stdout.flush()
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s", stream=sys.stderr)
    logging.getLogger("uvicorn").setLevel(logging.WARNING)
    make_server(app, limits).run(sockets=[listener])
