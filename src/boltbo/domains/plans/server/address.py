"""The URL of a server: how it is shown, and what to do where nobody answers there."""

from __future__ import annotations

import psycopg
from psycopg.conninfo import conninfo_to_dict

from boltbo.errors import ConfigError


def shown(url: str) -> str:
    """role@host:port/database of a URL (or of `host=… dbname=…`), without its password.

    Raises:
        ConfigError: It is no URL of a PostgreSQL; the message does not repeat it, for a password may stand in it.
    """
    try:
        parts = conninfo_to_dict(url)
    except psycopg.ProgrammingError:
        parts = {"dbname": "@"}
    host, database = str(parts.get("host") or parts.get("hostaddr") or ""), str(parts.get("dbname", ""))
    ports = str(parts.get("port", ""))
    if "@" in host[1:] or "@" in database or (not ports.replace(",", "").isdigit() and ports):
        # an unescaped password came apart, and libpq's own message would quote a piece of it
        raise ConfigError(
            "this is no URL of a PostgreSQL: expected postgresql://ROLE:PASSWORD@HOST:PORT/DATABASE, with every character "
            "of the password that is no letter or digit written as % and two hexadecimal digits (@ is %40, / is %2F)"
        )
    port = f":{ports}" if ports else ""
    return f"{parts.get('user', '')}@{host}{port}/{database}"


_REMEDIES = (
    ("password authentication failed", "the password is wrong, or the role does not exist"),
    ("no password supplied", "write the password into the URL, or into ~/.pgpass"),
    ("no pg_hba.conf entry", "the server does not let this role in from this machine: add a line to its pg_hba.conf"),
    ("role", "the server does not know this role: check the URL, or CREATE ROLE"),
    ("database", "the server does not know this database: psql -l lists those it has"),
    ("translate host name", "no machine has this name: check the host in the URL"),
    ("refused", "nothing listens there: start the server, check host and port, and its listen_addresses"),
    ("No such file", "no server has a socket there: start it, or check the folder in the URL"),
    ("timeout", "nothing answers there: check host, port and firewalls"),
)
"""A piece of libpq's message -> what to do; the first that fits"""


def refusal(where: str, message: str) -> str:
    """What to say where there is no connection: the server's reason, and what to do about it."""
    reason = " ".join(message.split()) or "no reason given"
    remedy = next((remedy for piece, remedy in _REMEDIES if piece in reason), "")
    return f"no connection to {where}: {reason}" + (f"\n{remedy}" if remedy else "")
