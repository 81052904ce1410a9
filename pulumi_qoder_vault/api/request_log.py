"""The log of requests that QODER_LOG names: each attempt is one line of JSON. No header, no body, no secret.

Knows what an attempt was, and nothing of how it was sent. Several processes may append to one file.
"""

from __future__ import annotations

import json
import os
import stat
import threading
from contextlib import suppress
from dataclasses import dataclass

from ..errors import ApiError, OutcomeUnknown, SettingsError
from ..secret import HIDDEN
from ..settings import LOG
from .gate import Gate
from .request import Failure, NoConnection, Request
from .responses import rfc3339

MODE = 0o600
LONGEST = 100  # of a text of the server's


@dataclass
class Seen:
    """What was seen of one attempt.

    Attributes:
        our_id: sent as ``x-request-id``; empty where nothing is logged, and then it is not sent.
        status: of the response; None where there was none.
        server_id: ``x-request-id`` of the response.
    """

    our_id: str = ""
    status: int | None = None
    server_id: str = ""


class RequestLog:
    """A file to which attempts are appended, each with one call to the system.

    Raises:
        SettingsError: it cannot be written.
    """

    def __init__(self, path: str) -> None:
        self._lock = threading.Lock()
        self._failed: dict[str, tuple[int, str]] = {}  # how often, and how, what was not sent again yet failed
        # A pipe that nobody reads must not keep the provider.
        flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0)
        try:
            self._file = os.open(path, flags, MODE)
            if hasattr(os, "fchmod") and stat.S_ISREG(os.fstat(self._file).st_mode):
                os.fchmod(self._file, MODE)  # it may have been there before
        except (OSError, ValueError) as failure:
            why = (failure.strerror if isinstance(failure, OSError) else "") or "not a path"
            raise SettingsError(f"{LOG}: the file cannot be written ({why})") from None

    def close(self) -> None:
        """Close the file. What still comes is not written, also where its number serves another file by now."""
        closed, self._file = self._file, -1
        with suppress(OSError):
            os.close(closed)

    def write(
        self,
        request: Request,
        seen: Seen,
        gate: Gate,
        *,
        now_s: float,
        took_s: float,
        failure: Failure | None,
    ) -> None:
        """Append one attempt; where the disk is full by now, nothing.

        Args:
            request: what was sent.
            seen: of its response.
            gate: what texts of programs and servers go through.
            now_s: when it ended, in seconds since the epoch.
            took_s: how long it took.
            failure: how it failed.
        """
        identity = f"{request} {request.query} {request.idempotency_key}"
        with self._lock:
            attempts, reason = self._failed.pop(identity, (0, None))
            if failure:
                self._failed[identity] = (attempts + 1, _reason(failure, gate))
        error = failure.error.response if failure and isinstance(failure.error, ApiError) else None
        server_id = error.request_id if error and error.request_id else seen.server_id
        line = {
            "time": rfc3339(now_s),
            "method": request.method,
            "path": request.path if gate.one_line(request.path, limit=len(request.path)) == request.path else HIDDEN,
            "status": seen.status,
            "error_type": gate.one_line(error.error_type, limit=LONGEST) if error and error.error_type else None,
            "client_request_id": seen.our_id,
            "request_id": gate.one_line(server_id, limit=LONGEST) if server_id else None,
            "milliseconds": round(took_s * 1000),
            "attempt": attempts + 1,
            "sent_again_after": reason,
        }
        with suppress(OSError):
            os.write(self._file, f"{json.dumps(line)}\n".encode())


def _reason(failure: Failure, gate: Gate) -> str:
    if isinstance(failure.error, ApiError):
        response = failure.error.response
        return gate.one_line(f"{response.status} {response.error_type}".strip(), limit=LONGEST)
    if isinstance(failure, NoConnection):
        return "no connection"
    return "lost response" if isinstance(failure.error, OutcomeUnknown) else "not sent"
