"""A server extension that prints only the address of the pages and how to stop the server."""

from __future__ import annotations


def _jupyter_server_extension_points() -> list[dict[str, str]]:
    return [{"module": "helpers.lab.welcome"}]


def _load_jupyter_server_extension(server) -> None:
    server.io_loop.add_callback(_welcome, server)


def _welcome(server) -> None:
    token = server.identity_provider.token
    address = server.connection_url.rstrip("/") + server.default_url
    print(f"The workbook is open at {address}{f'?token={token}' if token else ''}")
    print("Press Ctrl-C here to stop it.", flush=True)
