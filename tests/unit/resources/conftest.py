"""The plugin stands in front of the resources here, as in `unit/plugin`."""

from __future__ import annotations

from unit.plugin.conftest import connections, engine, plain_environment, plugin, qoder, serve, somebody

__all__ = ["connections", "engine", "plain_environment", "plugin", "qoder", "serve", "somebody"]
