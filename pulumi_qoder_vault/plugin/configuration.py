"""The configuration of a provider: what the engine hands over -> `Settings`. Knows no resource."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from ..errors import SettingsError
from ..lifecycle.inputs import UNKNOWN, Inputs
from ..setting_sources import STACK, Owner
from ..settings import CREDENTIALS, KEYS, SETTINGS, Settings, load, load_base_url
from . import wire

if TYPE_CHECKING:
    from google.protobuf import struct_pb2

SECRET_KEYS = frozenset(setting.key for setting in SETTINGS if setting.is_secret)
# What the engine calls a default provider: with its version or its download URL, if the program names one. Any other
# name is a program's.
_DEFAULT_PROVIDER = re.compile(r"default(_\d+_\d+_\d+.*|_https?_.*)?")


@dataclass(frozen=True, slots=True)
class Configuration:
    """What a provider was configured with.

    Attributes:
        values: by key, without ``qoder:``; what a preview does not know is `UNKNOWN`.
        owner: whose configuration it is.
    """

    values: Inputs = field(default_factory=dict)
    owner: Owner = STACK

    @classmethod
    def of(cls, provider: str, arguments: struct_pb2.Struct) -> Configuration:
        """Return what is configured for a provider of this name.

        A refresh or destroy brings the configuration of the last `up`; the present one is in PULUMI_CONFIG, and comes
        first, so that a revoked API token bricks nothing. The environment comes last, as always: it may belong to
        another account, whose 404 would say that everything is gone. An explicit provider has its own arguments only.

        Raises:
            SettingsError: the configuration of this moment cannot be read.
        """
        values, live = received(arguments), os.environ.get("PULUMI_CONFIG")
        if not _DEFAULT_PROVIDER.fullmatch(provider):
            return cls(values, Owner(provider=provider))
        if not live:
            return cls(values)
        present = _present(live)
        # A misspelt key that only the last `up` had is gone, and bricks nothing.
        # So is the API token of the last `up`, where this run has a service-account key; and the other way round.
        given = {*present, *(CREDENTIALS if any(present.get(key) for key in CREDENTIALS) else ())}
        recorded = {key: value for key, value in values.items() if key in KEYS and key not in given}
        return cls({**recorded, **present}, Owner(recorded=frozenset(map(_full, recorded))))

    @property
    def settings(self) -> Settings:
        """The settings, with the environment.

        Raises:
            SettingsError: one cannot be read.
        """
        return load(self._by_full_key(), os.environ, self.owner)

    @property
    def base_url(self) -> str:
        """Where requests go; where that cannot be read, the text that says it."""
        return load_base_url(self._by_full_key(), os.environ)

    def _by_full_key(self) -> Inputs:
        """Return the values by full key; a setting that is not known yet is as one that is absent."""
        return {_full(key): value for key, value in self.values.items() if value is not UNKNOWN or key not in KEYS}


def received(arguments: struct_pb2.Struct) -> dict[str, Any]:
    """Return configuration by key: plain values, secrets unpacked, what is unknown as `UNKNOWN`."""
    return {_short(name): value for name, value in wire.read_configuration(arguments).items()}


def _present(configuration: str) -> Mapping[str, Any]:
    """Read the configuration of this moment. It may hold the API token: what cannot be read is not shown."""
    try:
        return {_short(name): value for name, value in json.loads(configuration).items()}
    except (ValueError, AttributeError):
        raise SettingsError("PULUMI_CONFIG: must be a JSON object, as Pulumi writes it") from None


def _short(name: str) -> str:
    return name.removeprefix("qoder:")


def _full(key: str) -> str:
    return f"qoder:{key}"
