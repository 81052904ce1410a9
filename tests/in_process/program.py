"""Pulumi's SDK for one program, under mocks.

The SDK keeps a root stack, whose outputs belong to the event loop in which it was made; in another loop they fail.
All programs run in one thread, which nothing else uses: what one of them leaves behind fits the next.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar

import pulumi
from pulumi.runtime import mocks as pulumi_mocks

T = TypeVar("T")
THREAD = ThreadPoolExecutor(1, "programs", initializer=lambda: asyncio.set_event_loop(asyncio.new_event_loop()))


class Mocks(pulumi_mocks.Mocks):
    """Keep what was registered; respond with the inputs, an id, and the outputs that a vault has."""

    def __init__(self) -> None:
        self.registered: list[pulumi_mocks.MockResourceArgs] = []

    def new_resource(self, args: pulumi_mocks.MockResourceArgs) -> tuple[str, dict[str, Any]]:
        self.registered.append(args)
        ids = {"https://example.com/mcp": "vcred_1"}
        return args.resource_id or f"vault_{args.name}", {**args.inputs, "credential_ids": ids}

    def call(self, args: pulumi_mocks.MockCallArgs) -> tuple[dict[Any, Any], None]:
        return {}, None


def run(program: Callable[[], Any]) -> list[pulumi_mocks.MockResourceArgs]:
    """Run a program; return what it registered."""
    mocks = Mocks()
    _in_one_thread(mocks, pulumi.runtime.test(program))  # type: ignore[no-untyped-call]  # Pulumi has no types here
    return mocks.registered


def run_in_loop(act: Callable[[], Coroutine[Any, Any, T]]) -> T:
    """Run a coroutine where the SDK has a monitor that takes secrets, as the real one does."""
    return _in_one_thread(Mocks(), lambda: asyncio.get_event_loop().run_until_complete(act()))


def _in_one_thread(mocks: Mocks, act: Callable[[], T]) -> T:
    def run_act() -> T:
        pulumi.runtime.set_mocks(mocks, preview=False)
        return act()

    return THREAD.submit(run_act).result()
