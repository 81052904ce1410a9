"""Configuration and environment -> Settings. Stack configuration first, then the environment, then the default.

Reads values and judges them; knows neither Pulumi's objects nor HTTP.
"""

import ipaddress
import math
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from .errors import SettingsError
from .lifecycle import allowed_values
from .secret import Secret

DEFAULT_BASE_URL = "https://openapi.qoder.sh/api/v1/cloud"  # Qoder, Create Vault (read 2026-05-18)
REVISIONS = ("auto", "2026-05", "2026-07")

_ENVIRONMENT: Mapping[str, tuple[str, ...]] = {
    # The order of the official client, qca-sdk 0.11.0.
    "apiToken": ("QODER_ACCESS_TOKEN", "QODER_PAT"),
    "baseUrl": ("QODER_MANAGED_BASE_URL", "QODER_BASE_URL"),
    "apiRevision": ("QODER_API_REVISION",),
    "workspaceId": ("QODER_WORKSPACE_ID",),
    "maxWritesPerSecond": ("QODER_MAX_WRITES_PER_SECOND",),
    "maxReadsPerSecond": ("QODER_MAX_READS_PER_SECOND",),
    "timeout": ("QODER_TIMEOUT",),
}

_DURATION = re.compile(r"(?=.)(?:(\d+(?:\.\d+)?)h)?(?:(\d+(?:\.\d+)?)m)?(?:(\d+(?:\.\d+)?)s?)?", re.ASCII)


FORCE_DESTROY = "QODER_FORCE_DESTROY"  # a run's, not a stack's: there is no configuration of it
_BOOLEANS = {"true": True, "1": True, "yes": True, "on": True, "false": False, "0": False, "no": False, "off": False}


@dataclass(frozen=True, slots=True)
class Settings:
    """How to reach Qoder.

    Attributes:
        api_token: the token for Qoder; None when none is set, which only the first call to the API minds.
        base_url: where the API is, without a trailing slash.
        revision: ``auto``, ``2026-05`` or ``2026-07``: what is sent. Answers are read in any shape.
        workspace_id: sent as ``qoder-workspace-id``; None for the API token's own workspace.
        max_writes_per_second: 0 lifts the limit.
        max_reads_per_second: 0 lifts the limit.
        timeout_s: bound of one API call with all its attempts and waits.
    """

    api_token: Secret | None = None
    base_url: str = DEFAULT_BASE_URL
    revision: str = "auto"
    workspace_id: str | None = None
    max_writes_per_second: float = 20.0
    max_reads_per_second: float = 50.0
    timeout_s: float = 120.0

    @property
    def is_loopback(self) -> bool:
        """True if the API is on this machine, as the emulator is: no proxy, and plain http is allowed."""
        return _is_loopback(urlsplit(self.base_url).hostname or "")


def load(configured: Callable[[str], Any], environment: Mapping[str, str]) -> Settings:
    """Read all settings.

    Args:
        configured: gives the value of a stack configuration key such as ``qoder:apiToken``, or None.
        environment: the process' environment.

    Raises:
        SettingsError: a value cannot be read; one line that names the key and the forms it takes.
    """

    def read(key: str, parse: Callable[[str, str], Any], default: Any) -> Any:
        value = configured(f"qoder:{key}")
        if value is not None and _text(value).strip():
            return parse(f"qoder:{key}", _text(value).strip())
        for name in _ENVIRONMENT[key]:
            if environment.get(name, "").strip():
                return parse(name, environment[name].strip())
        return default

    return Settings(
        api_token=read("apiToken", _api_token, None),
        base_url=read("baseUrl", _base_url, DEFAULT_BASE_URL),
        revision=read("apiRevision", _revision, "auto"),
        workspace_id=read("workspaceId", _workspace_id, None),
        max_writes_per_second=read("maxWritesPerSecond", _rate, 20.0),
        max_reads_per_second=read("maxReadsPerSecond", _rate, 50.0),
        timeout_s=read("timeout", _duration, 120.0),
    )


def force_destroy(environment: Mapping[str, str]) -> bool:
    """Read if credentials of others go with each vault that this run deletes.

    Raises:
        SettingsError: the value cannot be read; one line that names the variable and the forms it takes.
    """
    value = environment.get(FORCE_DESTROY, "").strip().lower()
    if value and value not in _BOOLEANS:
        raise SettingsError(f"{FORCE_DESTROY}: must be true or false (1, yes, on; 0, no, off)")
    return _BOOLEANS.get(value, False)


def _text(value: Any) -> str:
    # An explicit provider may be given numbers, which arrive as floats: 20.0 is 20.
    return str(int(value)) if isinstance(value, float) and value.is_integer() else str(value)


def _api_token(key: str, value: str) -> Secret:
    if (reason := allowed_values.api_token(value)) is not None:
        raise SettingsError(f"{key}: the API token {reason}")
    return Secret(value)


def _base_url(key: str, value: str) -> str:
    form = f"must be an https URL such as {DEFAULT_BASE_URL} (http is for loopback only)"
    try:
        url = urlsplit(value)
        host, _ = url.hostname or "", url.port
        can_be_asked = _is_name(host)
    except ValueError:
        raise SettingsError(f"{key}: {form}") from None
    if "@" in url.netloc:
        raise SettingsError(f"{key}: must hold no user name or password; the API token goes into qoder:apiToken")
    readable = value.isascii() and value.isprintable() and " " not in value and "\\" not in value
    if not readable or not can_be_asked or url.query or url.fragment or "?" in value or "#" in value:
        raise SettingsError(f"{key}: {form}, without query or fragment")
    if url.scheme != "https" and not (url.scheme == "http" and _is_loopback(host)):
        raise SettingsError(f"{key}: {form}")
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
