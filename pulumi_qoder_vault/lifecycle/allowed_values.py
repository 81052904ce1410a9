"""What a name, a URL, an access token, an API token, a metadata key may be: one place, for every front and resource.

Each function returns what is wrong with a text and what to do, or None. It never shows the text: an access token may
have been put into the wrong field. A missing value is checked elsewhere. Pure, but for `past`, which asks for the time.

Sources: Qoder, Vaults and Vault Credentials (read 2026-08) for lengths; RFC 9110, 11.4, and RFC 6750, 2.1, for what can
stand in ``Authorization: Bearer``; RFC 6749, appendix A, for refresh tokens and client secrets.
"""

import re
import unicodedata
from collections.abc import Iterator
from datetime import UTC, datetime
from urllib.parse import urlsplit

from .equivalence import ID

MAX_DISPLAY_NAME = 255
MAX_METADATA_KEY = 64
MAX_METADATA_VALUE = 512
MAX_URL = 2048

EMPTY = "is empty: was the variable set?"

_CONTROL = re.compile("[\x00-\x1f\x7f-\x9f]")
# What Pulumi's SDKs make of an Output in a string; Python's `repr` of one is the last.
_OUTPUT_IN_TEXT = re.compile(
    r"calling (?:__str__|\[?to(?:string|json)\]?) on an \[?output|<pulumi\.output\.output object at 0x", re.IGNORECASE
)
_QUOTES = ("''", '""', "``", "\u2018\u2019", "\u201c\u201d", "\u201e\u201c", "\xab\xbb")
_HEADER = re.compile(
    r"[a-z-]+:\s.*|(?:authorization|x-api-key)\s*[:=].*|bearer(?:[\s:]|%20|$).*|(?:basic|token)\s.*", re.IGNORECASE
)
# What a shell, CI, a template or PowerShell would have replaced. In lower case, or inside a longer value, it is legal.
_UNEXPANDED = re.compile(
    r"\$[A-Z_][A-Z0-9_]*|\$\{[A-Z_][A-Z0-9_]*(?::?[-=?+][^}]*)?\}|\$\([A-Z_][A-Z0-9_]*\)|%[A-Z_][A-Z0-9_]*%"
    r"|\$?\{\{.*\}\}|\$env:[A-Z_][A-Z0-9_]*"
)
_MASK = re.compile(
    r"\*{2,}|\u2022+|[\[<({](?:secret|redacted|sensitive|sensitive value|masked|hidden|unknown|computed)[\])>}]",
    re.IGNORECASE,
)
_LIKE_A_TOKEN = re.compile(r"(?=.{16})(?:(?=.*\d)|(?=.*[a-z])(?=.*[A-Z])(?!.*_)).*", re.ASCII)
_VARIABLE_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*", re.ASCII)
_TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d{1,9})?(?:Z|[+-]\d\d:\d\d)", re.ASCII)
# What programs write for a value that is not there.
_ABSENT = re.compile(r"none|null|nil|<nil>|undefined|nan|\[object \w+\]", re.IGNORECASE)


def display_name(value: str) -> str | None:
    """Judge the name of a vault. Joiners, and blanks of any kind between words, are legal."""
    return _name(value) or _too_long(value, MAX_DISPLAY_NAME)


def metadata_key(value: str) -> str | None:
    """Judge a key of metadata."""
    if not 1 <= len(value) <= MAX_METADATA_KEY and not is_output_in_text(value):
        return f"has {len(value)} characters; 1 to {MAX_METADATA_KEY} are allowed"
    return _name(value)


def metadata_value(value: str) -> str | None:
    """Judge a value of metadata."""
    return text(value) or _too_long(value, MAX_METADATA_VALUE)


def text(value: str) -> str | None:
    """Judge any text: what is refused in every field."""
    if is_output_in_text(value):
        return (
            "holds an Output that was put into a string, which makes no value of it: use pulumi.Output.concat, "
            "pulumi.interpolate or apply"
        )
    return None if is_unicode(value) else "is not Unicode text"


def one_line_text(value: str) -> str | None:
    """Judge a text of one line."""
    if (reason := text(value)) is not None:
        return reason
    return "contains a control character, such as a line break; remove it" if _CONTROL.search(value) else None


def mcp_server_url(value: str) -> str | None:
    """Judge the URL of an MCP server, or a token endpoint: it is stored, and shown, in plain text."""
    form = "must be a URL such as https://example.com/mcp"
    if (reason := text(value) or _too_long(value, MAX_URL)) is not None:
        return reason
    if value != value.strip() or not value.isprintable() or any(character in value for character in ' <>"\\^`{|}'):
        return f"{form}; it contains a blank, a control character or another character that a URL cannot contain"
    try:
        parts = urlsplit(value)
        host, _ = parts.hostname, parts.port
    except ValueError:
        return form
    if parts.scheme not in ("http", "https") or not host:
        return form
    if "@" in parts.netloc:
        return "must not contain a user name or password: the URL is not secret; use access_token"
    return None


def vault_id(value: str) -> str | None:
    """Judge the id of a vault."""
    is_id = ID.fullmatch(value)
    return text(value) or (None if is_id else "must be a vault's id, like vault_019e3bb940277f0db05ab74291acf6ef")


def access_token(value: str) -> str | None:
    """Judge an access token, or an API token: it must be able to travel in ``Authorization: Bearer``."""
    return next(_token_faults(value), None)


def oauth_secret(value: str) -> str | None:
    """Judge a refresh token or a client secret: these may hold blanks."""
    return next(_secret_faults(value), None)


def variable(value: str) -> str | None:
    """Judge the value of an environment variable: any Unicode text; a key in PEM has line breaks."""
    return text(value) if value else EMPTY


def variable_name(value: str) -> str | None:
    """Judge the name of an environment variable."""
    is_name = _VARIABLE_NAME.fullmatch(value)
    return text(value) or (
        None if is_name else "must be the name of an environment variable: letters, digits and underscores"
    )


def time(value: str) -> str | None:
    """Judge a time."""
    return text(value) or (None if _moment(value) else "must be an RFC 3339 time such as 2026-12-31T23:59:59Z")


def past(value: str) -> str | None:
    """Caution against the time at which an access token expires, if it is over."""
    moment = _moment(value)
    return "is in the past: the access token has expired" if moment and moment <= datetime.now(UTC) else None


def _moment(value: str) -> datetime | None:
    try:
        return datetime.fromisoformat(value) if _TIME.fullmatch(value) else None
    except ValueError:
        return None


def looks_like_a_token(value: str) -> bool:
    """Return True if a name may be an access token in the place of one: then it is not shown."""
    return _LIKE_A_TOKEN.fullmatch(value) is not None


def is_output_in_text(value: str) -> bool:
    """Return True if an Output was put into this text."""
    return _OUTPUT_IN_TEXT.search(value) is not None


def is_unicode(value: str) -> bool:
    """Return True if a text can be written as UTF-8."""
    try:
        value.encode()
    except UnicodeEncodeError:
        return False
    return True


def _token_faults(value: str) -> Iterator[str]:
    if _HEADER.fullmatch(value):
        yield "is a whole header or begins with its scheme: remove 'Bearer', which is added when the token is used"
    yield from _secret_faults(value)
    if not value.isascii():
        yield "contains a character that is not ASCII, and cannot stand in an Authorization header; copy it again"
    if " " in value:
        yield "contains a blank, and cannot stand in an Authorization header; copy it again"


def _secret_faults(value: str) -> Iterator[str]:
    """Find what makes a secret useless, most telling first. What stands for something else is judged as a whole."""
    if not value:
        yield EMPTY
    if (reason := text(value)) is not None:
        yield reason
    if _CONTROL.search(value):
        yield "contains a control character, such as a line break; remove it"
    if value != value.strip():
        yield "begins or ends with a blank; remove it"
    if not value.isprintable() and any(unicodedata.category(character) == "Cf" for character in value):
        yield "contains an invisible character, such as a byte order mark or a zero-width space; copy it again"
    bare = value.removeprefix("b")  # bytes that Python made a string of: b'…'
    if len(bare) > 1 and bare[0] + bare[-1] in _QUOTES:
        yield "is in quotation marks; remove them"
    if _UNEXPANDED.fullmatch(value):
        yield "is the name of a variable that was not expanded"
    if _MASK.fullmatch(value):
        yield "is a mask in place of a secret; use the secret itself"
    if _ABSENT.fullmatch(value):
        yield "is the text of an empty value: was the variable set?"


def _name(value: str) -> str | None:
    return one_line_text(value) or ("begins or ends with a blank; remove it" if value != value.strip() else None)


def _too_long(value: str, most: int) -> str | None:
    return f"has {len(value)} characters; at most {most} are allowed" if len(value) > most else None
