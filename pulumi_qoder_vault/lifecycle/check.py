"""Inputs -> complete inputs, and problems with their paths.

Pure: no HTTP, no Pulumi objects. What is `UNKNOWN` passes, and is judged when it is known. A problem never shows a
value, but for a URL that has been found fit to be shown: an access token may have been put into the wrong field.
"""

import difflib
import re
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any
from urllib.parse import urlsplit

from ..secret import Secret
from .model import ACTIVE, CREATE_ID_KEY, DEFAULT_PROTOCOL, PROTOCOLS, STATIC_BEARER, UNKNOWN, Inputs, Unknown

# The API's own sentences: Qoder, Create Vault, error responses (read 2026-05-18).
NO_CREDENTIAL = "At least one credential is required when creating a vault."
NO_ACCESS_TOKEN = "Field 'access_token' is required for static_bearer type."  # noqa: S105 a sentence, not a password

MAX_DISPLAY_NAME = 255  # Qoder, Vaults (read 2026-08)
MAX_METADATA_PAIRS = 15  # 16 at Qoder (read 2026-08); one is kept for the provider's own mark
CREDENTIAL_METADATA_PAIRS = 16
MAX_METADATA_KEY = 64
MAX_METADATA_VALUE = 512
MAX_URL = 2048

ON_DELETE = ("delete", "archive")
VAULT_KEYS = ("display_name", "credentials", "metadata", "on_delete")
CREDENTIAL_KEYS = ("mcp_server_url", "access_token", "protocol", "type")
COMPUTED_KEYS = ("status", "rotations")  # inputs that `complete` adds, and that come back after an import

_CONTROL = re.compile("[\x00-\x1f\x7f-\x9f]")
_SHORT = {"token": "access_token", "url": "mcp_server_url", "name": "display_name"}
_PLAIN_KEY = re.compile(r"[A-Za-z_][A-Za-z0-9_.\-]{0,39}", re.ASCII)


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing to be mended: ``path`` such as ``credentials[0].protocol``, and one line that says how.

    ``is_warning`` is True if the program may go on with it.
    """

    path: str
    reason: str
    is_warning: bool = False

    def __str__(self) -> str:
        return f"{self.path}: {self.reason}"


def check(inputs: Inputs, *, allows_empty: bool, imported: Inputs = MappingProxyType({})) -> list[Problem]:
    """Find what is wrong with the inputs of a vault.

    Args:
        inputs: what the program gave; missing keys and None are the same.
        allows_empty: True if the API revision in use makes a vault without credentials (``2026-07``).
        imported: the inputs of the last deployment. What an import found there is no problem: a credential without an
            access token, which Qoder never returns, is left alone; no credential at all; a sixteenth pair of metadata.
    """
    is_empty = bool(imported) and not imported.get("credentials")
    pairs = len(imported.get("metadata") or ()) if isinstance(imported.get("metadata"), Mapping) else 0
    may_lack_token = {
        item["mcp_server_url"]
        for item in _list(imported.get("credentials"))
        if isinstance(item.get("mcp_server_url"), str) and item.get("access_token") is None
    }
    return [
        *check_keys("", inputs, (*VAULT_KEYS, *COMPUTED_KEYS)),
        *_check_display_name(inputs.get("display_name")),
        *check_metadata(inputs.get("metadata"), at_most=max(MAX_METADATA_PAIRS, pairs)),
        *check_choice("on_delete", inputs.get("on_delete"), ON_DELETE),
        *_check_credentials(inputs.get("credentials"), may_lack_token, allows_empty=allows_empty or is_empty),
        *_check_exposure(inputs),
    ]


def complete(inputs: Inputs, recorded: Inputs) -> dict[str, Any]:
    """Fill in defaults, and the two inputs in which drift and rotation show: ``status`` and ``rotations``.

    Args:
        inputs: inputs without a problem.
        recorded: the inputs of the last deployment; empty for a new vault.
    """
    completed: dict[str, Any] = {
        "display_name": inputs["display_name"],
        "on_delete": inputs.get("on_delete") or "delete",
        "credentials": [],
        "status": ACTIVE,
        "rotations": {},
    }
    if inputs.get("metadata") is not None:
        completed["metadata"] = inputs["metadata"]

    credentials = inputs.get("credentials")
    if isinstance(credentials, Unknown):
        return completed | {"credentials": UNKNOWN, "rotations": UNKNOWN}
    completed["credentials"] = [_complete_credential(credential) for credential in credentials or ()]
    completed["rotations"] = _rotations(completed["credentials"], recorded)
    return completed


def _complete_credential(credential: Any) -> Any:
    if isinstance(credential, Unknown):
        return UNKNOWN
    given = {key: value for key, value in credential.items() if value is not None}
    return {"protocol": DEFAULT_PROTOCOL, "type": STATIC_BEARER} | given


def _rotations(credentials: list[Any], recorded: Inputs) -> dict[str, int]:
    """Count the changes of each access token, so that a preview names the credential that rotates, without a digest."""
    known = _list(recorded.get("credentials"))
    before = {item["mcp_server_url"]: item.get("access_token") for item in known if "mcp_server_url" in item}
    counts = recorded.get("rotations") or {}
    rotations: dict[str, int] = {}
    for credential in credentials:
        url = UNKNOWN if isinstance(credential, Unknown) else credential["mcp_server_url"]
        if isinstance(url, Unknown):
            continue
        token = credential.get("access_token")
        count = int(counts.get(url, 0)) if url in before else 0
        is_given = token is not None and not isinstance(token, Unknown)
        has_changed = url in before and is_given and token != before[url]
        rotations[url] = count + has_changed
    return rotations


def _list(value: Any) -> list[Mapping[str, Any]]:
    return [item for item in value if isinstance(item, Mapping)] if isinstance(value, list | tuple) else []


def _check_display_name(name: Any) -> Iterator[Problem]:
    match name:
        case Unknown():
            pass
        case None | "":
            yield Problem("display_name", f"is required: a name of 1 to {MAX_DISPLAY_NAME} characters")
        case str():
            if len(name) > MAX_DISPLAY_NAME:
                yield Problem("display_name", f"has {len(name)} characters; at most {MAX_DISPLAY_NAME} are allowed")
        case _:
            yield Problem("display_name", f"must be a string, not {kind(name)}")


def check_metadata(metadata: Any, *, at_most: int = MAX_METADATA_PAIRS) -> Iterator[Problem]:
    """Find what is wrong with metadata."""
    if metadata is None or isinstance(metadata, Unknown):
        return
    if not isinstance(metadata, Mapping):
        yield Problem("metadata", f"must be a map of strings, not {kind(metadata)}")
        return
    if len(metadata) > at_most:
        yield Problem("metadata", f"has {len(metadata)} pairs; at most {at_most} are allowed")
    for key, value in metadata.items():
        path = f'metadata["{key}"]' if _PLAIN_KEY.fullmatch(key) else "metadata"
        if not 1 <= len(key) <= MAX_METADATA_KEY:
            yield Problem("metadata", f"has a key of {len(key)} characters; 1 to {MAX_METADATA_KEY} are allowed")
        if key == CREATE_ID_KEY:
            yield Problem(path, "is kept for the provider; choose another key")
        match value:
            case Unknown():
                pass
            case str():
                if len(value) > MAX_METADATA_VALUE:
                    yield Problem(path, f"has {len(value)} characters; at most {MAX_METADATA_VALUE} are allowed")
            case _ if path == "metadata":
                yield Problem(path, f"has a value that is not a string, but {kind(value)}")
            case _:
                yield Problem(path, f"must be a string, not {kind(value)}")


def check_choice(path: str, value: Any, choices: tuple[str, ...]) -> Iterator[Problem]:
    """Find a value that is none of the choices; nothing is given is none of this one's affairs."""
    # The value itself is not shown: it may be an access token in the wrong place.
    if value is not None and not isinstance(value, Unknown) and value not in choices:
        yield Problem(path, f"must be {' or '.join(repr(choice) for choice in choices)}")


def _check_credentials(credentials: Any, may_lack_token: Collection[str], *, allows_empty: bool) -> Iterator[Problem]:
    match credentials:
        case Unknown():
            return
        case None | [] | ():
            if not allows_empty:
                hint = "(if your Qoder makes empty vaults, set qoder:apiRevision to 2026-07)"
                yield Problem("credentials", f"{NO_CREDENTIAL} {hint}")
            return
        case list() | tuple():
            pass
        case _:
            yield Problem("credentials", f"must be a list of credentials, not {kind(credentials)}")
            return

    first_use: dict[str, int] = {}
    for index, credential in enumerate(credentials):
        path = f"credentials[{index}]"
        yield from _check_credential(path, credential, may_lack_token)
        url = credential.get("mcp_server_url") if isinstance(credential, Mapping) else None
        if not isinstance(url, str) or any(check_url(path, url)):
            continue
        if url in first_use:
            used = f"{url} is already used by credentials[{first_use[url]}]"
            yield Problem(f"{path}.mcp_server_url", f"{used}; one vault holds one credential per URL")
        first_use.setdefault(url, index)


def _check_credential(path: str, credential: Any, may_lack_token: Collection[str]) -> Iterator[Problem]:
    if isinstance(credential, Unknown):
        return
    if not isinstance(credential, Mapping):
        yield Problem(path, f"must be a map with {', '.join(CREDENTIAL_KEYS)}, not {kind(credential)}")
        return
    yield from check_keys(path, credential, CREDENTIAL_KEYS)
    url, token = credential.get("mcp_server_url"), credential.get("access_token")
    match url:
        case Unknown():
            pass
        case None | "":
            yield Problem(f"{path}.mcp_server_url", "is required: the URL of the MCP server")
        case _:
            yield from check_url(f"{path}.mcp_server_url", url)
    if token is not None or not isinstance(url, str) or url not in may_lack_token:
        yield from check_secret(f"{path}.access_token", token)
    yield from check_choice(f"{path}.protocol", credential.get("protocol"), PROTOCOLS)
    yield from check_choice(f"{path}.type", credential.get("type"), (STATIC_BEARER,))


def check_keys(path: str, given: Mapping[str, Any], known: Collection[str]) -> Iterator[Problem]:
    """Find keys that nothing reads; name the nearest one that is read."""
    meant = {key: key for key in known}
    meant |= {short: key for short, key in _SHORT.items() if key in known}
    for key in given:
        if key in known:
            continue
        near = difflib.get_close_matches(key.lower().replace("-", "_"), meant, n=1, cutoff=0.5)
        hint = f"did you mean {meant[near[0]]}?" if near else f"known keys are {', '.join(known)}"
        if not _PLAIN_KEY.fullmatch(key):
            yield Problem(path or "an argument", f"has an unknown key; {hint}")
        else:
            yield Problem(f"{path}.{key}" if path else key, f"is not a known key; {hint}")


def check_url(path: str, url: Any) -> Iterator[Problem]:
    """Find what is wrong with a URL that is stored, and shown, in plain text."""
    form = "must be a URL such as https://example.com/mcp"
    if not isinstance(url, str):
        yield Problem(path, f"must be a string, not {kind(url)}")
        return
    if len(url) > MAX_URL:
        yield Problem(path, f"has {len(url)} characters; at most {MAX_URL} are allowed")
        return
    if url != url.strip() or not url.isprintable() or any(character in url for character in ' <>"\\^`{|}'):
        yield Problem(path, f"{form}; it holds a blank, a control character or another that no URL holds")
        return
    try:
        parts = urlsplit(url)
        host, _ = parts.hostname, parts.port
    except ValueError:
        yield Problem(path, form)
        return
    if parts.scheme not in ("http", "https") or not host:
        yield Problem(path, form)
    elif "@" in parts.netloc:
        yield Problem(path, "must hold no user name or password: the URL is not secret; use access_token")


def check_secret(path: str, token: Any, *, if_missing: str = NO_ACCESS_TOKEN) -> Iterator[Problem]:
    """Find what is wrong with an access token, or another secret, without showing it."""
    match token:
        case Unknown():
            pass
        case None:
            yield Problem(path, if_missing)
        case Secret():
            value = token.reveal()
            if not value:
                yield Problem(path, if_missing)
            elif _CONTROL.search(value):
                yield Problem(path, "holds a control character, such as a line break; strip it")
            elif value != value.strip():
                yield Problem(path, "begins or ends with a blank; strip it")
            elif not is_unicode(value):
                yield Problem(path, "is not Unicode text")
        case _:
            yield Problem(path, f"must be a string, not {kind(token)}")


def is_unicode(value: str) -> bool:
    """Tell if a text can be written as UTF-8."""
    return not any("\ud800" <= character <= "\udfff" for character in value)


def _check_exposure(inputs: Inputs) -> Iterator[Problem]:
    """Refuse an access token in a field that is stored and shown in plain text."""
    credentials = _list(inputs.get("credentials"))
    tokens = [item["access_token"].reveal() for item in credentials if isinstance(item.get("access_token"), Secret)]
    metadata = inputs.get("metadata")
    plain = [("display_name", inputs.get("display_name"))]
    plain += [("metadata", text) for text in (*metadata, *metadata.values())] if isinstance(metadata, Mapping) else []
    plain += [(f"credentials[{index}].mcp_server_url", url) for index, url in _urls(inputs.get("credentials"))]
    exposed = {
        path
        for path, text in plain
        if isinstance(text, str) and any(token in text for token in tokens if len(token) >= 8)
    }
    for path in sorted(exposed):
        yield Problem(path, "an access token stands in plain text here; it belongs in access_token only")


def _urls(credentials: Any) -> Iterator[tuple[int, Any]]:
    for index, item in enumerate(credentials if isinstance(credentials, list | tuple) else ()):
        if isinstance(item, Mapping):
            yield index, item.get("mcp_server_url")


def kind(value: Any) -> str:
    """Say of what kind a value is, without showing it."""
    if value is None:
        return "None"
    kinds = {bool: "a boolean", int: "a number", float: "a number", str: "a string", list: "a list", tuple: "a list"}
    if isinstance(value, Secret):
        return "a string"
    return kinds.get(type(value), "a map" if isinstance(value, Mapping) else f"a {type(value).__name__}")
