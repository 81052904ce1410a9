"""Inputs -> complete inputs, and problems with their paths.

Pure: no HTTP, no Pulumi objects. What is `UNKNOWN` passes, and is judged when it is known. A problem never shows a
value, but for a URL that has been found fit to be shown: an access token may have been put into the wrong field.
"""

import difflib
import re
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import Any
from urllib.parse import urlsplit

from ..secret import Secret, one_line, secrets_in
from . import allowed_values
from .model import (
    ACTIVE,
    ARCHIVED,
    CREDENTIAL_TYPES,
    DEFAULT_PROTOCOL,
    MARK_KEY,
    PROTOCOLS,
    STATIC_BEARER,
    UNKNOWN,
    Inputs,
    SecretUrl,
    Unfit,
    Unknown,
)

# The API's own sentences: Qoder, Create Vault, error responses (read 2026-05-18).
NO_CREDENTIAL = "At least one credential is required when creating a vault."
NO_ACCESS_TOKEN = "Field 'access_token' is required for static_bearer type."  # noqa: S105 a sentence, not a password

MAX_METADATA_PAIRS = 15  # 16 at Qoder (read 2026-08); one is kept for the provider's own mark
CREDENTIAL_METADATA_PAIRS = 16

ON_DELETE = ("delete", "archive")
VAULT_KEYS = ("display_name", "credentials", "metadata", "on_delete", "force_destroy")
CREDENTIAL_KEYS = ("mcp_server_url", "access_token", "protocol", "type")
COMPUTED_KEYS = ("status", "rotations")  # inputs that `complete` adds, and that come back after an import

POSITION_IGNORED = (
    "ignore_changes: a position in credentials would give one server's access token to another as soon as the list "
    'changes; ignore "credentials" as a whole, or declare that credential as a Credential resource'
)

_PATH = re.compile(r'(?:\["(?P<quoted>[^"]*)"\]|\[?(?P<plain>[^.\[\]]+)\]?)(?P<rest>.*)', re.DOTALL)
_SHORT = {"token": "access_token", "url": "mcp_server_url", "name": "display_name"}
_PLAIN_KEY = re.compile(r"[A-Za-z_][A-Za-z0-9_.\-]{0,39}", re.ASCII)
_LIKE_A_TOKEN = re.compile(r"(?=.{16})(?:(?=.*\d)|(?=.*[a-z])(?=.*[A-Z])(?!.*_)).*", re.ASCII)


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


@dataclass(frozen=True, slots=True)
class ApiToken:
    """The API token of this run, which is no access token of an MCP server, but for one of Qoder itself.

    Attributes:
        value: None where none is set; a preview needs none.
        host: of the API that it is sent to.
    """

    value: Secret | None = None
    host: str = ""

    @property
    def known(self) -> set[Secret]:
        """The token itself, where it is known, among the secrets that must not be shown."""
        return set() if self.value is None else {self.value}

    def is_misused(self, token: Secret, url: Any) -> bool:
        """Tell if the API token stands in the place of the access token for a URL that is known."""
        return self.value is not None and token == self.value and isinstance(url, str) and _host(url) != self.host


NO_API_TOKEN = ApiToken()


def check(
    inputs: Inputs, *, allows_empty: bool, recorded: Inputs = MappingProxyType({}), api_token: ApiToken = NO_API_TOKEN
) -> list[Problem]:
    """Find what is wrong with the inputs of a vault.

    Args:
        inputs: what the program gave; missing keys and None are the same.
        allows_empty: True if the API revision in use makes a vault without credentials (``2026-07``).
        recorded: the inputs of the last deployment. What they hold already is no more than a warning, and what an
            import found may be missing: an access token, which Qoder never returns, and every credential.
        api_token: the API token of this run.
    """
    return list(_check(inputs, recorded, api_token, allows_empty=allows_empty))


def _check(inputs: Inputs, recorded: Inputs, api_token: ApiToken, *, allows_empty: bool) -> Iterator[Problem]:
    is_empty = bool(recorded) and not recorded.get("credentials")
    held = {item.get("mcp_server_url"): item for item in _list(recorded.get("credentials"))}
    secrets = {*secrets_in(inputs), *api_token.known}
    meant, problems = check_keys("", inputs, (*VAULT_KEYS, *COMPUTED_KEYS), secrets)
    yield from problems
    name = inputs.get("display_name")
    if name is not None or "display_name" not in meant:
        yield from softened(_check_display_name(name), name, recorded.get("display_name"))
    yield from check_metadata(
        inputs.get("metadata"), recorded.get("metadata"), at_most=MAX_METADATA_PAIRS, secrets=secrets
    )
    yield from check_choice("on_delete", inputs.get("on_delete"), ON_DELETE)
    yield from _check_boolean("force_destroy", inputs.get("force_destroy"))
    if inputs.get("credentials") is not None or "credentials" not in meant:
        yield from _check_credentials(
            inputs.get("credentials"),
            held,
            api_token,
            secrets,
            allows_empty=allows_empty or is_empty,
        )
    yield from _check_exposure(inputs, recorded, api_token)


def changed_for_deletion(recorded: Inputs, inputs: Inputs) -> list[str]:
    """Return which of the arguments differ that a deletion goes by; what is unknown is judged when it is known."""
    pairs = {
        "on_delete": (recorded.get("on_delete") or "delete", inputs.get("on_delete") or "delete"),
        "force_destroy": (recorded.get("force_destroy") or False, inputs.get("force_destroy") or False),
    }
    return [name for name, (before, after) in pairs.items() if before != after and not isinstance(after, Unknown)]


def must_come_first(changed: Collection[str]) -> str:
    """Word what is to be done where a replacement changes how the old vault would be deleted."""
    return (
        f"the old one is deleted by what the state holds of {'it' if len(changed) == 1 else 'them'}; run pulumi up "
        f"with the change of {' and '.join(changed)} alone first"
    )


def check_replacement(replaced: Inputs, inputs: Inputs) -> list[Problem]:
    """Find a change of how the old vault of a replacement would be deleted, whatever it is that forces the replacement.

    An archived vault is replaced by every `up`, so that no change can come before it: see `diff`. Where something is
    unknown the `up` need not replace the vault, and knows it then.
    """
    changed = changed_for_deletion(replaced, inputs)
    if not changed or replaced.get("status") == ARCHIVED or _holds_unknown(inputs):
        return []
    reason = f"must not change in an up that replaces the vault: {must_come_first(changed)}"
    return [Problem(" and ".join(changed), reason)]


def _holds_unknown(value: Any) -> bool:
    if isinstance(value, Mapping):
        return any(map(_holds_unknown, value.values()))
    return any(map(_holds_unknown, value)) if isinstance(value, list | tuple) else isinstance(value, Unknown)


def softened(problems: Iterable[Problem], value: Any, recorded: Any) -> Iterator[Problem]:
    """Make warnings of problems with a value that the state holds already: a new rule must not brick a stack.

    What was a warning then was said then.
    """
    if value is None or value != recorded:
        return iter(problems)
    return (replace(problem, is_warning=True) for problem in problems if not problem.is_warning)


def is_position(path: object, name: str) -> bool:
    """Tell if a path of ``ignoreChanges`` leads to a position within a list: `credentials[0]`, `["credentials"][*].x`.

    Pulumi copies such a value by its position before a provider sees anything.
    """
    match = _PATH.fullmatch(path) if isinstance(path, str) else None
    root = next((part for part in match.group("quoted", "plain") if part is not None), "") if match else ""
    return match is not None and root in (name, "*") and match["rest"] != ""


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
    if inputs.get("force_destroy"):  # unknown counts; False is as if nothing was given
        completed["force_destroy"] = inputs["force_destroy"]

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


def _rotations(credentials: list[Any], recorded: Inputs) -> dict[str, int] | Unknown:
    """Count the changes of each access token, so that a preview names the credential that rotates, without a digest."""
    known = _list(recorded.get("credentials"))
    before = {item["mcp_server_url"]: item.get("access_token") for item in known if "mcp_server_url" in item}
    counts = recorded.get("rotations") or {}
    rotations: dict[str, int] = {}
    for credential in credentials:
        url = UNKNOWN if isinstance(credential, Unknown) else credential["mcp_server_url"]
        if isinstance(url, Unknown):
            return UNKNOWN  # a map that is known is complete: a program may ask it for any URL
        token = credential.get("access_token")
        count = int(counts.get(url, 0)) if url in before else 0
        is_given = token is not None and not isinstance(token, Unknown)
        has_changed = url in before and is_given and token != before[url]
        rotations[url] = count + has_changed
    return rotations


def _list(value: Any) -> list[Mapping[str, Any]]:
    return [item for item in value if isinstance(item, Mapping)] if isinstance(value, list | tuple) else []


def _check_display_name(name: Any) -> Iterator[Problem]:
    if name is None or name == "":
        most = allowed_values.MAX_DISPLAY_NAME
        yield Problem("display_name", f"is required: a name of 1 to {most} characters")
    else:
        yield from check_text("display_name", name, allowed_values.display_name)


def check_text(path: str, value: Any, judge: Callable[[str], str | None]) -> Iterator[Problem]:
    """Find a value that is no text, or that a rule of `allowed_values` refuses; what is unknown passes."""
    if isinstance(value, Unknown):
        return
    reason = judge(value) if isinstance(value, str) else not_a_string(value)
    if reason is not None:
        yield Problem(path, reason)


def check_metadata(metadata: Any, recorded: Any, *, at_most: int, secrets: Collection[Secret]) -> Iterator[Problem]:
    """Find what is wrong with metadata; what is recorded already, pair by pair, is no more than a warning."""
    if metadata is None or isinstance(metadata, Unknown):
        return
    if not isinstance(metadata, Mapping):
        yield Problem("metadata", f"must be a map of strings, not {kind(metadata)}")
        return
    before = recorded if isinstance(recorded, Mapping) else {}
    if len(metadata) > max(at_most, len(before)):  # an import may bring a pair more
        yield Problem("metadata", f"has {len(metadata)} pairs; at most {at_most} are allowed")
    for key, value in metadata.items():
        yield from softened(_check_pair(key, value, secrets), value, before.get(key))


def _check_pair(key: str, value: Any, secrets: Collection[Secret]) -> Iterator[Problem]:
    shown = f'metadata["{key}"]' if _may_be_shown(key, secrets) else ""
    if (reason := allowed_values.metadata_key(key)) is not None:
        yield Problem("metadata", f"a key {reason}")
    if key == MARK_KEY:
        yield Problem(shown, "is kept for the provider; choose another key")
    for problem in check_text(shown, value, allowed_values.metadata_value):
        yield problem if shown else Problem("metadata", f"a value {problem.reason}")


def check_choice(path: str, value: Any, choices: tuple[str, ...]) -> Iterator[Problem]:
    """Find a value that is none of the choices; a missing value is checked elsewhere."""
    # The value itself is not shown: it may be an access token in the wrong place.
    if value is None or isinstance(value, Unknown) or value in choices:
        return
    if isinstance(value, str) and allowed_values.is_output_in_text(value):
        yield from check_text(path, value, allowed_values.text)
    else:
        yield Problem(path, f"must be {' or '.join(repr(choice) for choice in choices)}")


def _check_boolean(path: str, value: Any) -> Iterator[Problem]:
    if value is not None and not isinstance(value, bool | Unknown):
        yield Problem(path, f"must be a boolean, true or false, not {kind(value)}")


def _check_credentials(
    credentials: Any,
    recorded: Mapping[Any, Inputs],
    api_token: ApiToken,
    secrets: Collection[Secret],
    *,
    allows_empty: bool,
) -> Iterator[Problem]:
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
        if isinstance(credential, Unknown):
            continue
        if not isinstance(credential, Mapping):
            yield Problem(path, f"must be a map with {', '.join(CREDENTIAL_KEYS)}, not {kind(credential)}")
            continue
        url = credential.get("mcp_server_url")
        before = recorded.get(url, {}) if isinstance(url, str) else {}
        yield from _check_credential(path, credential, before, api_token, secrets)
        if not isinstance(url, str) or allowed_values.mcp_server_url(url) is not None:
            continue
        if url in first_use:
            used = f"{one_line(url, secrets, limit=200)} is already used by credentials[{first_use[url]}]"
            yield Problem(f"{path}.mcp_server_url", f"{used}; one vault holds one credential per URL")
        first_use.setdefault(url, index)


def _check_credential(
    path: str, credential: Inputs, recorded: Inputs, api_token: ApiToken, secrets: Collection[Secret]
) -> Iterator[Problem]:
    meant, problems = check_keys(path, credential, CREDENTIAL_KEYS, secrets)
    yield from problems
    url, token = credential.get("mcp_server_url"), credential.get("access_token")
    if url is None or url == "":
        if "mcp_server_url" not in meant:
            yield Problem(f"{path}.mcp_server_url", "is required: the URL of the MCP server")
    else:
        yield from softened(check_url(f"{path}.mcp_server_url", url), url, recorded.get("mcp_server_url"))
    at = f"{path}.access_token"
    if token is None:
        may_lack = bool(recorded) and recorded.get("access_token") is None
        if not may_lack and "access_token" not in meant:
            yield Problem(at, NO_ACCESS_TOKEN)
    else:
        yield from softened(check_access_token(at, token, url, api_token), token, recorded.get("access_token"))
    yield from check_choice(f"{path}.protocol", credential.get("protocol"), PROTOCOLS)
    type_ = credential.get("type")
    if isinstance(type_, str) and type_ != STATIC_BEARER and type_ in CREDENTIAL_TYPES:
        yield Problem(f"{path}.type", f"must be '{STATIC_BEARER}'; declare {type_} as a Credential resource")
    else:
        yield from check_choice(f"{path}.type", type_, (STATIC_BEARER,))


def check_keys(
    path: str, given: Inputs, known: Collection[str], secrets: Collection[Secret]
) -> tuple[set[str], list[Problem]]:
    """Find keys that nothing reads, with the nearest one that is read.

    Returns:
        The known keys that were meant: nothing else need be said of them. And a problem for each unknown one.
    """
    meant = {key: key for key in known}
    meant |= {short: key for short, key in _SHORT.items() if key in known}
    found: set[str] = set()
    problems = []
    for key in given:
        if key in known:
            continue
        near = difflib.get_close_matches(key[:80].lower().replace("-", "_"), meant, n=1, cutoff=0.5)
        found |= {meant[name] for name in near}
        hint = f"did you mean {meant[near[0]]}?" if near else f"known keys are {', '.join(known)}"
        if _may_be_shown(key, secrets):
            problems.append(Problem(f"{path}.{key}" if path else key, f"is not a known key; {hint}"))
        else:
            problems.append(Problem(path or "an argument", f"has an unknown key; {hint}"))
    return found, problems


def _may_be_shown(key: str, secrets: Collection[Secret]) -> bool:
    """Tell if a key looks like a name, and neither is nor looks like an access token in the place of one."""
    looks_like_a_name = _PLAIN_KEY.fullmatch(key) is not None and _LIKE_A_TOKEN.fullmatch(key) is None
    return looks_like_a_name and not any(secret.reveal() in key for secret in secrets)


def check_url(path: str, url: Any) -> Iterator[Problem]:
    """Find what is wrong with a URL that is stored, and shown, in plain text."""
    if isinstance(url, SecretUrl):
        yield Problem(
            path,
            "is marked as a secret, and a URL is not one: it is a key of plain outputs and stands in errors; take the "
            "mark off (unsecret), or use a URL that holds no secret",
        )
    yield from check_text(path, url, allowed_values.mcp_server_url)


def check_secret(path: str, secret: Any, judge: Callable[[str], str | None]) -> Iterator[Problem]:
    """Find what is wrong with a secret, without showing it."""
    yield from check_text(path, secret.reveal() if isinstance(secret, Secret) else secret, judge)


def check_access_token(path: str, token: Any, url: Any, api_token: ApiToken) -> Iterator[Problem]:
    """Find what is wrong with an access token, without showing it."""
    yield from check_secret(path, token, allowed_values.access_token)
    if isinstance(token, Secret) and api_token.is_misused(token, url):
        yield Problem(path, "is the API token, which is for Qoder alone: give the token that this MCP server takes")


def _host(url: str) -> str | None:
    try:
        return urlsplit(url).hostname
    except ValueError:
        return None


def _check_exposure(inputs: Inputs, recorded: Inputs, api_token: ApiToken) -> Iterator[Problem]:
    """Refuse an access token, or the API token, in a field that is stored and shown in plain text."""
    held = {(item.text, item.token) for item in _exposed(recorded, api_token)}
    exposed = {item.path: item for item in sorted(_exposed(inputs, api_token), key=lambda item: item.path)}
    for path, item in exposed.items():
        is_of_qoder = api_token.value is not None and item.token == api_token.value.reveal()
        what = "the API token" if is_of_qoder else "an access token"
        home = "qoder:apiToken" if is_of_qoder else "access_token"
        is_held = (item.text, item.token) in held
        yield Problem(path, f"{what} stands in plain text here; it belongs in {home} only", is_held)


@dataclass(frozen=True, slots=True)
class _Exposed:
    path: str
    text: str = field(repr=False)
    token: str = field(repr=False)


def _exposed(inputs: Inputs, api_token: ApiToken) -> Iterator[_Exposed]:
    credentials = _list(inputs.get("credentials"))
    tokens = [item["access_token"].reveal() for item in credentials if isinstance(item.get("access_token"), Secret)]
    tokens += [secret.reveal() for secret in api_token.known]
    metadata = inputs.get("metadata")
    plain = [("display_name", inputs.get("display_name"))]
    plain += [("metadata", text) for text in (*metadata, *metadata.values())] if isinstance(metadata, Mapping) else []
    plain += [(f"credentials[{index}].mcp_server_url", url) for index, url in _urls(inputs.get("credentials"))]
    for path, text in plain:
        if isinstance(text, str):
            yield from (_Exposed(path, text, token) for token in tokens if len(token) >= 8 and token in text)


def _urls(credentials: Any) -> Iterator[tuple[int, Any]]:
    for index, item in enumerate(credentials if isinstance(credentials, list | tuple) else ()):
        if isinstance(item, Mapping):
            yield index, item.get("mcp_server_url")


def not_a_string(value: Any) -> str:
    """Say that a value is no string, and how digits stay one."""
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    hint = "; put it in quotation marks, or, where YAML drops them, in fn::toJSON" if is_number else ""
    return f"must be a string, not {kind(value)}{hint}"


def kind(value: Any) -> str:
    """Say of what kind a value is, without showing it."""
    if value is None:
        return "None"
    if isinstance(value, Unfit):
        return value.kind
    kinds = {bool: "a boolean", int: "a number", float: "a number", str: "a string", list: "a list", tuple: "a list"}
    if isinstance(value, Secret):
        return "a string"
    return kinds.get(type(value), "a map" if isinstance(value, Mapping) else f"a {type(value).__name__}")
