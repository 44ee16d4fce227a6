"""`assistant serve` and `config show`."""

from __future__ import annotations

from typing import Annotated

import typer

from assistant.cli.context import note, of, print_json

config = typer.Typer(help="Settings in force.", no_args_is_help=True)

Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]


def register(app: typer.Typer) -> None:
    app.command("serve")(serve)
    app.add_typer(config, name="config")


def serve(
    context: typer.Context,
    host: Annotated[str | None, typer.Option(help="Address to serve on (server.host).")] = None,
    port: Annotated[int | None, typer.Option(min=0, max=65535, help="Port (server.port); 0 takes a free one.")] = None,
    ingest: Annotated[bool, typer.Option("--ingest", help="Load new and changed documents first.")] = False,
    first_user: Annotated[
        str | None, typer.Option(help="If there are no accounts: make this one and print its password once.")
    ] = None,
) -> None:
    """Open the page, the API and health. Example: `assistant serve --port 8080`"""
    from assistant.cli.verifying import verified_apart
    from assistant.web.server import serve as run_server

    settings = of(context).settings()
    update = {key: value for key, value in (("host", host), ("port", port)) if value is not None}
    settings = settings.model_copy(update={"server": settings.server.model_copy(update=update)})
    run_server(
        settings, ingest=ingest, first_user=first_user, say=lambda line: print(line, flush=True), verify=verified_apart
    )


@config.command("show")
def show_config(context: typer.Context, as_json: Json = False) -> None:
    """The settings after all four places were merged, secrets masked. Example: `assistant config show`"""
    import yaml

    shown = of(context).settings().model_dump(mode="json")
    if as_json:
        print_json(shown)
    else:
        print(yaml.safe_dump(shown, allow_unicode=True, sort_keys=False), end="")
        note("(environment over .env over the profile over configs/default.yaml)")
