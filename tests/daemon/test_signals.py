"""Signals as calls on the loop: none is lost, none kills, and what comes too often is no news."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import Iterator

import pytest

from quotad.daemon.signals import taken_over

MORE_THAN_THE_SOCKET_HOLDS = 20_000


@pytest.fixture(autouse=True)
def _as_before() -> Iterator[None]:
    before = signal.getsignal(signal.SIGUSR1)
    yield
    signal.signal(signal.SIGUSR1, before)


async def test_a_signal_is_a_call() -> None:
    """Of its own callable, on the loop."""
    heard = asyncio.Event()
    with taken_over({signal.SIGUSR1: heard.set}):
        os.kill(os.getpid(), signal.SIGUSR1)
        async with asyncio.timeout(5):
            await heard.wait()


async def test_a_signal_that_comes_afterwards_is_ignored() -> None:
    """The default would kill."""
    called: list[int] = []
    with taken_over({signal.SIGUSR1: lambda: called.append(1)}):
        pass
    os.kill(os.getpid(), signal.SIGUSR1)
    assert signal.SIG_IGN is signal.getsignal(signal.SIGUSR1)
    assert [] == called


async def test_signals_without_end_are_no_word(capfd: pytest.CaptureFixture[str]) -> None:
    """More of them than the loop can be told at once: it hears of some, and stderr of none."""
    heard = asyncio.Event()
    with taken_over({signal.SIGUSR1: heard.set}):
        for _ in range(MORE_THAN_THE_SOCKET_HOLDS):
            os.kill(os.getpid(), signal.SIGUSR1)
        async with asyncio.timeout(5):
            await heard.wait()
    assert "" == capfd.readouterr().err
