"""A run that asks another place than the state was created at: the warning, and the ways out of what fails of it.

A place is a base URL and a workspace. Every line says what helps on the front, and with the settings, of this run.
"""

from __future__ import annotations

import shlex
from collections.abc import Iterator
from contextlib import contextmanager

from .. import connection
from ..connection import Qoder
from ..errors import (
    AnotherAccount,
    ApiError,
    Conflict,
    OutcomeUnknown,
    QoderError,
    RateLimited,
    Unreachable,
    VaultNotFound,
)
from ..lifecycle.model import Place
from ..lifecycle.vaults_api import VaultsApi
from ..secret import one_line
from ..settings import Settings

_FAILURES = (Unreachable, OutcomeUnknown, ApiError, VaultNotFound)
_OTHER_FAILURES = (Conflict, RateLimited)  # said by one who knows what was asked for, or knows nothing of it


def warnings(recorded: Place, settings: Settings | None) -> tuple[str, ...]:
    """Return the line that a preview and an ``up`` show where a state was made elsewhere: once for the process.

    Settings that cannot be read are said elsewhere: there is no line then.
    """
    if (
        settings is None
        or not _is_elsewhere(recorded, settings)
        or not connection.CONNECTIONS.is_first(("elsewhere", recorded))
    ):
        return ()
    return (f"{_places(recorded, settings)}; {_ways_out(recorded, settings, '<urn>')}",)


@contextmanager
def ways_out(qoder: Qoder, api: VaultsApi, recorded: Place) -> Iterator[None]:
    """End an error with the ways out, where it may come of asking another place than the state was created at."""
    try:
        yield
    except AnotherAccount as failure:
        named = shlex.quote(one_line(qoder.urn, limit=1000)) if qoder.urn else "<urn>"
        failure.args = (
            f"{failure}; use the API token of the account that it belongs to, or, if it is gone, run pulumi state "
            f"delete {named}, which only drops it from the state",
        )
        raise
    except QoderError as failure:
        comes_of_it = isinstance(failure, _FAILURES) and not isinstance(failure, _OTHER_FAILURES) and not api.has_seen
        if comes_of_it and _is_elsewhere(recorded, qoder.settings):
            where = "" if isinstance(failure, VaultNotFound) else f"; {_places(recorded, qoder.settings)}"
            failure.args = (f"{failure}{where}; {_ways_out(recorded, qoder.settings, qoder.urn or '<urn>')}",)
        raise


def _is_elsewhere(recorded: Place, settings: Settings) -> bool:
    return recorded.base_url != "" and recorded != Place(settings.base_url, settings.workspace_id)


def _places(recorded: Place, settings: Settings) -> str:
    asked = Place(settings.base_url, settings.workspace_id)
    return f"the state was created at {one_line(str(recorded))}, but this run asks {asked}"


def _ways_out(recorded: Place, settings: Settings, urn: str) -> str:
    differing = []
    if recorded.base_url != settings.base_url:
        differing.append((settings.base_url_source, recorded.base_url))
    if recorded.workspace_id != settings.workspace_id:
        differing.append((settings.workspace_id_source, recorded.workspace_id or ""))
    changes = [source.change(one_line(value)) for source, value in differing]
    # Where the configuration is that of the last `up`, only a refresh that runs the program sees the present one.
    lags = any(source.lags for source, _ in differing)
    refresh = "pulumi refresh --run-program" if lags else "pulumi refresh"
    named = shlex.quote(one_line(urn, limit=1000)) if urn != "<urn>" else urn
    return (
        f"if this run asks the wrong place: {' and '.join(changes)}; if both are the same Qoder: {refresh}; otherwise: "
        f"use another stack, or run pulumi state delete {named}, which only drops it from the state"
    )
