"""Ids, and names, URLs and times that a service may write in another form than they were sent in. Pure.

A name may come back trimmed or composed, a URL with a lower-case host or without its default port, a time with an
offset. Such a form is the same name, URL or time; nothing else is.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping
from contextlib import suppress
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlsplit

_TIME = re.compile(r"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)(?:\.(\d{1,9}))?(Z|[+-]\d\d:\d\d)?", re.ASCII)
# `vault_` and `vcred_` plus 32 hex digits so far. The form may change, and proves nothing; but nothing may leave its
# place in a path.
ID = re.compile(r"[0-9A-Za-z_-]{1,128}", re.ASCII)
_DEFAULT_PORTS = {"https": 443, "http": 80}


def is_same_name(one: str, other: str) -> bool:
    """Return True for two forms of one text: composed or not, with or without outer blanks."""
    return one == other or _normal_name(one) == _normal_name(other)


def is_same_url(one: str, other: str) -> bool:
    """Return True for two forms of one URL: case of scheme and host, IDN, default port, trailing slash."""
    return one == other or normal_url(one) == normal_url(other)


def normal_url(text: str) -> str:
    """Return one form for all forms of a URL; a text that is none as it is."""
    try:
        url = urlsplit(text.strip())
        host, port = (url.hostname or "").encode("idna").decode().lower(), url.port
    except (UnicodeError, ValueError):
        return text
    if not host:
        return text
    place = host if port in (None, _DEFAULT_PORTS.get(url.scheme)) else f"{host}:{port}"
    user, at, _ = url.netloc.rpartition("@")
    return url._replace(netloc=f"{user}{at}{place}", path=url.path.rstrip("/")).geturl()


def instant_s(time: str) -> float | None:
    """Return an RFC 3339 time as seconds since the epoch; one without an offset is UTC. None for no time."""
    match = _TIME.fullmatch(time)
    if match is None:
        return None
    whole, digits, zone = match.groups()
    try:
        moment = datetime.fromisoformat(whole + (zone or "Z"))
    except ValueError:
        return None
    with suppress(OverflowError):  # of a year that a timestamp does not reach
        return moment.astimezone(UTC).timestamp() + float(f"0.{digits or 0}")
    return None


def rfc3339(instant_s: float) -> str:
    """Return seconds since the epoch as an RFC 3339 time, UTC."""
    return datetime.fromtimestamp(instant_s, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def holds(shown: Mapping[str, str], asked: Mapping[str, str]) -> bool:
    """Return True if a map of strings shows all that was asked for; a service may add pairs, and trim blanks."""
    pairs = {_normal_name(key): value for key, value in shown.items()}
    return all(is_same_name(pairs.get(_normal_name(key), "\0"), value) for key, value in asked.items())


def is_same_form(one: Any, other: Any) -> bool:
    """Return True for two forms of one value of a field, whatever its kind; hosts in another order are the same."""
    if isinstance(one, list | tuple) and isinstance(other, list | tuple):
        return len(one) == len(other) and all(item in other for item in one)
    if not (isinstance(one, str) and isinstance(other, str)):
        return bool(one == other)
    if is_same_name(one, other) or is_same_url(one, other):
        return True
    return (moment_s := instant_s(one)) is not None and moment_s == instant_s(other)


def _normal_name(text: str) -> str:
    return unicodedata.normalize("NFC", text).strip()
