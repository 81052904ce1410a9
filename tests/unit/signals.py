"""How a process is told to end on this system.

POSIX has signals. Windows ends a process at once with SIGTERM, and tells it before only by Ctrl-Break, which Python
calls SIGBREAK; it reaches a process that leads a group.
"""

from __future__ import annotations

import os
import signal
import subprocess
from typing import Any

import pytest

BREAK: signal.Signals | None = getattr(signal, "CTRL_BREAK_EVENT", None)
INTERRUPT = BREAK or signal.SIGINT
TERMINATE = BREAK or signal.SIGTERM
ALL = [BREAK] if BREAK else [signal.SIGINT, signal.SIGTERM, signal.SIGHUP]
# For Popen, of a process that will be told to end.
OWN_GROUP: dict[str, Any] = {"creationflags": getattr(subprocess, "CREATE_NEW_PROCESS_GROUP", 0)}

posix_only = pytest.mark.skipif(os.name == "nt", reason="Windows has neither POSIX signals nor modes of files")
