"""Configuration and environment -> Settings. Stack configuration first, then the environment, then the default.

Owns THE table of settings, how each is read, `QODER_FORCE_DESTROY` and `QODER_LOG`, which are a run's and not a
stack's. Where a setting came from stands in `setting_sources`. Knows neither Pulumi's objects nor HTTP.
"""

from __future__ import annotations

import ipaddress
import math
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Literal, get_args
from urllib.parse import urlsplit

from .errors import SettingsError
from .lifecycle import allowed_values
from .lifecycle.model import Revision
from .secret import SHORTEST_PART, Secret, one_line
from .setting_keys import meant
from .setting_sources import STACK, Owner, Source

DEFAULT_BASE_URL = "https://openapi.qoder.sh/api/v1/cloud"  # Qoder, Create Vault (read 2026-05-18)
REVISIONS = ("auto", *Revision)

API_TOKEN = "API token"  # noqa: S105 what errors call it
SERVICE_ACCOUNT_KEY = "service-account key"
CREDENTIALS = ("apiToken", "serviceAccountKey")  # each stands for the other: a run uses one of them

# A URL of the API that is none of its base: `…/vaults`, `…/vaults/vault_x/credentials`, `…/api/v1/cloud/sessions`. A
# proxy may have the word in its own path: `https://proxy.example/vaults/api/v1/cloud`.
_ENDPOINT = re.compile(r"/vaults(/+(vault_[^/]*(/.*)?|search))?/*$|/api/v1/cloud/+[^/]", re.ASCII | re.IGNORECASE)

ReadReferences = Literal["always", "when-sent"]

_NOT_IN_BASE_URL = frozenset(" \\?#")

_DURATION = re.compile(r"(?=.)(?:(\d+(?:\.\d+)?)h)?(?:(\d+(?:\.\d+)?)m)?(?:(\d+(?:\.\d+)?)s?)?", re.ASCII)


FORCE_DESTROY = "QODER_FORCE_DESTROY"  # a run's, not a stack's: there is no configuration of it
LOG = "QODER_LOG"  # likewise
_BOOLEANS = {"true": True, "1": True, "yes": True, "on": True, "false": False, "0": False, "no": False, "off": False}


@dataclass(frozen=True, slots=True)
class Settings:
    """How to reach Qoder.

    Attributes:
        api_token: the token for Qoder; None when none is set, which only the first call to the API minds.
        base_url: where the API is, without a trailing slash.
        revision: ``auto``, ``2026-05`` or ``2026-07``: what is sent. Responses are read in any shape.
        workspace_id: sent as ``qoder-workspace-id``; None for the API token's own workspace.
        max_writes_per_second: 0 lifts the limit.
        max_reads_per_second: 0 lifts the limit.
        timeout_s: bound of one API call with all its attempts and waits.
        service_account_key: what is exchanged for a short-lived token; None where an API token is used, or neither.
        read_references: ``always``, or ``when-sent``: when a reference to an access token is read.
        api_token_source: where the API token came from, or could come from; so are the others.
        next_api_token: the environment variable that is used once that source has none; empty if there is none.
    """

    api_token: Secret | None = None
    base_url: str = DEFAULT_BASE_URL
    revision: str = "auto"
    workspace_id: str | None = None
    max_writes_per_second: float = 20.0
    max_reads_per_second: float = 50.0
    timeout_s: float = 120.0
    service_account_key: Secret | None = None
    read_references: ReadReferences = "always"
    api_token_source: Source = Source("qoder:apiToken")
    service_account_key_source: Source = Source("qoder:serviceAccountKey")
    base_url_source: Source = Source("qoder:baseUrl")
    workspace_id_source: Source = Source("qoder:workspaceId")
    next_api_token: str = ""

    @property
    def credential(self) -> Secret | None:
        """What the account is known by: the service-account key where there is one, else the API token."""
        return self.service_account_key or self.api_token

    @property
    def credential_source(self) -> Source:
        """Where that came from, or could come from."""
        return self.service_account_key_source if self.service_account_key else self.api_token_source

    @property
    def credential_name(self) -> str:
        """What errors call it."""
        return SERVICE_ACCOUNT_KEY if self.service_account_key else API_TOKEN

    @property
    def host(self) -> str:
        """Where requests go, as errors name it: the host, and the port if the base URL has one."""
        return urlsplit(self.base_url).netloc

    @property
    def is_loopback(self) -> bool:
        """True if the API is on this machine, as the emulator is: no proxy, and plain http is allowed."""
        return _is_loopback(urlsplit(self.base_url).hostname or "")


def load(configured: Mapping[str, Any], environment: Mapping[str, str], owner: Owner = STACK) -> Settings:
    """Read all settings.

    Args:
        configured: the whole configuration, by keys such as ``qoder:apiToken``; those of other packages are left alone.
        environment: the process' environment.
        owner: whose configuration it is.

    Raises:
        SettingsError: a value cannot be read, or a key is a misspelt setting; one line with the key and no value.
    """
    _refuse_misspelt(configured)
    texts = {setting.key: _text_of(setting, configured, environment, owner) for setting in SETTINGS}
    _choose_credential(texts)
    found: dict[str, Any] = {}
    for setting in SETTINGS:
        source, text = texts[setting.key]
        if text:
            try:
                found[setting.attribute] = setting.parse(source.variable or source.key, text)
            except SettingsError as failure:
                failure.is_configured = not source.variable
                raise
    settings = Settings(
        **found,
        api_token_source=texts["apiToken"][0],
        service_account_key_source=texts["serviceAccountKey"][0],
        base_url_source=texts["baseUrl"][0],
        workspace_id_source=texts["workspaceId"][0],
        next_api_token=_next(texts["apiToken"][0].variable, environment),
    )
    _refuse_exposed(settings)
    return settings


def _text_of(
    setting: Setting, configured: Mapping[str, Any], environment: Mapping[str, str], owner: Owner
) -> tuple[Source, str]:
    """Return where a setting comes from, and its text: empty where the default holds."""
    name = f"qoder:{setting.key}"
    if text := _text(configured.get(name)):
        return Source(name, "", owner), text
    for variable in setting.environment:
        if text := environment.get(variable, "").strip():
            return Source(name, variable, owner), text
    return Source(name, "", owner), ""


def _choose_credential(texts: dict[str, tuple[Source, str]]) -> None:
    """Keep the API token or the service-account key: that of the first level which has either one.

    Raises:
        SettingsError: one level has both.
    """
    given = {key: texts[key][0] for key in CREDENTIALS if texts[key][1]}
    if len(given) < len(CREDENTIALS):
        return
    from_environment = [key for key, source in given.items() if source.variable]
    if len(from_environment) != 1:
        names = " and ".join(source.variable or source.key for source in given.values())
        raise SettingsError(
            f"{names}: are both set, and only one of them can be used; remove the one that is not meant",
            is_configured=not from_environment,
        )
    source, _ = texts[from_environment[0]]
    texts[from_environment[0]] = Source(source.key, "", source.owner), ""


def load_base_url(configured: Mapping[str, Any], environment: Mapping[str, str]) -> str:
    """Return where requests go with this configuration; where that cannot be read, the text that says it."""
    _, text = _text_of(_setting("baseUrl"), configured, environment, STACK)
    return (text or DEFAULT_BASE_URL).rstrip("/")


def _refuse_misspelt(configured: Mapping[str, Any]) -> None:
    for name, value in configured.items():
        if not name.startswith("qoder:") or not _text(value):
            continue
        setting = meant(name.removeprefix("qoder:"), KEYS)
        if setting is not None:
            raise SettingsError(
                f"{one_line(name, limit=80)}: did you mean qoder:{setting}? Rename it, or remove it: nothing is sent "
                "to Qoder while it is there",
                is_configured=True,
            )


def _refuse_exposed(settings: Settings) -> None:
    """Refuse an API token, or a service-account key, in what is stored and shown in plain text."""
    if settings.credential is None:
        return
    secret = settings.credential.reveal()
    shown = {settings.base_url_source: settings.base_url, settings.workspace_id_source: settings.workspace_id or ""}
    for source, text in shown.items():
        if len(secret) >= SHORTEST_PART and secret in text:
            raise SettingsError(
                f"{source.variable or source.key}: holds the {settings.credential_name}, which belongs in "
                f"{settings.credential_source.key}",
                is_configured=not source.variable,
            )


def _next(variable: str, environment: Mapping[str, str]) -> str:
    variables = _setting("apiToken").environment
    later = variables[variables.index(variable) + 1 :] if variable else ()
    return next((name for name in later if environment.get(name, "").strip()), "")


def force_destroy(environment: Mapping[str, str]) -> bool:
    """Read if credentials of others go with each vault that this run deletes.

    Raises:
        SettingsError: the value cannot be read; one line that names the variable and the forms it takes.
    """
    value = environment.get(FORCE_DESTROY, "").strip().lower()
    if value and value not in _BOOLEANS:
        raise SettingsError(f"{FORCE_DESTROY}: must be true or false (1, yes, on; 0, no, off)")
    return _BOOLEANS.get(value, False)


def log_path(environment: Mapping[str, str]) -> str:
    """Return the file to which this run's requests are logged; empty for none."""
    return environment.get(LOG, "").strip()


def _text(value: Any) -> str:
    """Return a configured value as text; nothing for one that is absent or blank."""
    if value is None:
        return ""
    # An explicit provider may be given numbers, which arrive as floats: 20.0 is 20.
    return str(int(value)) if isinstance(value, float) and value.is_integer() else str(value).strip()


def _credential(name: str) -> Callable[[str, str], Secret]:
    """Return what reads a secret that is sent in ``Authorization: Bearer``."""

    def read(key: str, value: str) -> Secret:
        if (reason := allowed_values.access_token(value)) is not None:
            raise SettingsError(f"{key}: the {name} {reason}")
        return Secret(value)

    return read


def _base_url(key: str, value: str) -> str:
    form = f"must be an https URL such as {DEFAULT_BASE_URL} (http is for loopback only)"
    try:
        url = urlsplit(value)
        host, _ = url.hostname or "", url.port
        can_be_asked = _is_name(host)
    except ValueError:
        raise SettingsError(f"{key}: {form}") from None
    if "@" in url.netloc:
        raise SettingsError(f"{key}: must not contain a user name or password; the API token goes into qoder:apiToken")
    is_readable = value.isascii() and value.isprintable() and not _NOT_IN_BASE_URL & set(value)
    if not is_readable or not can_be_asked:
        raise SettingsError(f"{key}: {form}, without query or fragment")
    if url.scheme != "https" and not (url.scheme == "http" and _is_loopback(host)):
        raise SettingsError(f"{key}: {form}")
    if _ENDPOINT.search(url.path):
        raise SettingsError(f"{key}: ends in an endpoint of the API; use the base URL, such as {DEFAULT_BASE_URL}")
    return value.rstrip("/")


def _is_name(host: str) -> bool:
    """True if a connection can be asked for by this name, or IP address.

    Raises:
        UnicodeError: it has an empty label or one of more than 63 characters, or bad Punycode.
    """
    host.encode("idna")  # what the socket does with it
    coded = [label[4:].encode() for label in host.split(".") if label.startswith("xn--")]
    # httpx reads these labels back, and refuses one that stands for nothing.
    return host != "" and not any(label.decode("punycode").isascii() for label in coded)


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _revision(key: str, value: str) -> str:
    if value not in REVISIONS:
        raise SettingsError(f"{key}: must be one of {', '.join(REVISIONS)}")
    return value


def _read_references(key: str, value: str) -> str:
    if value not in get_args(ReadReferences):
        raise SettingsError(f"{key}: must be one of {', '.join(get_args(ReadReferences))}")
    return value


def _workspace_id(key: str, value: str) -> str:
    if not (value.isascii() and value.isprintable() and " " not in value):
        raise SettingsError(f"{key}: must be a workspace id: ASCII characters without blanks")
    return value


def _rate(key: str, value: str) -> float:
    try:
        rate = float(value)
    except ValueError:
        rate = math.nan
    if not 0 <= rate < math.inf:
        raise SettingsError(f"{key}: must be a number of requests per second, such as 20; 0 lifts the limit")
    return rate


def _duration(key: str, value: str) -> float:
    match = _DURATION.fullmatch(value)
    hours, minutes, seconds = (float(part or 0) for part in match.groups()) if match else (0.0, 0.0, 0.0)
    total_s = hours * 3600 + minutes * 60 + seconds
    if not 0 < total_s <= 86400:
        raise SettingsError(f"{key}: must be a time such as 90, 90s or 1m30s, at most 24h")
    return total_s


@dataclass(frozen=True, slots=True)
class Setting:
    """One setting. Its default is that of the attribute.

    Attributes:
        key: of the configuration, below ``qoder:``.
        attribute: of `Settings`.
        environment: the variables that hold it, the first one first.
        parse: reads a text; is given the name to show in an error.
        description: for the schema.
        is_secret: True for one that Pulumi encrypts.
        kind: in the schema.
    """

    key: str
    attribute: str
    environment: tuple[str, ...]
    parse: Callable[[str, str], Any]
    description: str
    is_secret: bool = False
    kind: Literal["string", "number"] = "string"


DEFAULTS = Settings()

_LIFTS = "as Qoder recommends; 0 lifts the limit"

SETTINGS = (
    Setting(
        "apiToken",
        "api_token",
        ("QODER_ACCESS_TOKEN", "QODER_PAT"),  # the order of the official client, qca-sdk 0.11.0
        _credential(API_TOKEN),
        "The API token, the one for Qoder itself. One from the environment is in no state.",
        is_secret=True,
    ),
    Setting(
        "serviceAccountKey",
        "service_account_key",
        ("QODER_SA_KEY",),  # qca-sdk 0.11.0, qca/common/service_account.py
        _credential(SERVICE_ACCOUNT_KEY),
        "The key of a service account, in place of an API token: it is exchanged for tokens that live an hour. One "
        "from the environment is in no state.",
        is_secret=True,
    ),
    Setting(
        "baseUrl",
        "base_url",
        ("QODER_MANAGED_BASE_URL", "QODER_BASE_URL"),
        _base_url,
        f"Where the API is; `{DEFAULTS.base_url}` if absent.",
    ),
    Setting(
        "apiRevision",
        "revision",
        ("QODER_API_REVISION",),
        _revision,
        f"One of {', '.join(f'`{name}`' for name in REVISIONS)}; `{DEFAULTS.revision}` if absent.",
    ),
    Setting(
        "workspaceId",
        "workspace_id",
        ("QODER_WORKSPACE_ID",),
        _workspace_id,
        "The workspace; the API token's own if absent.",
    ),
    Setting(
        "maxWritesPerSecond",
        "max_writes_per_second",
        ("QODER_MAX_WRITES_PER_SECOND",),
        _rate,
        f"{DEFAULTS.max_writes_per_second:g} if absent, {_LIFTS}.",
        kind="number",
    ),
    Setting(
        "maxReadsPerSecond",
        "max_reads_per_second",
        ("QODER_MAX_READS_PER_SECOND",),
        _rate,
        f"{DEFAULTS.max_reads_per_second:g} if absent, {_LIFTS}.",
        kind="number",
    ),
    Setting(
        "timeout",
        "timeout_s",
        ("QODER_TIMEOUT",),
        _duration,
        f"One call with all its attempts and waits: `90`, `90s`, `1m30s`; `{DEFAULTS.timeout_s / 60:g}m` if absent.",
    ),
    Setting(
        "readReferences",
        "read_references",
        ("QODER_READ_REFERENCES",),
        _read_references,
        "When a reference to an access token is read: `always`, also in a preview, or `when-sent`, by the request that "
        f"sends it; `{DEFAULTS.read_references}` if absent.",
    ),
)

KEYS = tuple(setting.key for setting in SETTINGS)


def _setting(key: str) -> Setting:
    return SETTINGS[KEYS.index(key)]
