"""Notices on their way to people: which channel gets them, what happens when it does not work.

The user's command gets every notice. On the screen, the desktop and what stands in for it are tried in turn;
what reaches neither a screen nor the command is said to the log, and tried again while it is still true. The
rule that outweighs the others: nobody is told the same thing twice, so a notice goes to a channel again only
after that channel has certainly not shown it.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections import defaultdict
from collections.abc import Awaitable, Callable, Sequence
from datetime import tzinfo
from functools import partial
from itertools import chain, repeat
from typing import NamedTuple, TypeAlias

from quotad import wire
from quotad.domain.instant import MINUTE, SECOND, Millis
from quotad.domain.notice import Notice, ProblemNotice
from quotad.sinks.channel import Channel, Delivery
from quotad.sinks.clock import Clock, pause
from quotad.sinks.errand import Errand
from quotad.sinks.wording import Payload, Urgency, Words, payload, words_of

OFFERS_MAX = 64
"""Notices that wait to be taken up; the oldest is dropped for a newer one."""
CARRIED_MAX = 32
"""Notices being delivered or waiting for another attempt; the oldest that waits makes room."""
BACK_OFF: tuple[Millis, ...] = (5 * SECOND, 30 * SECOND, 2 * MINUTE, 5 * MINUTE)
"""How long to wait before each further attempt; the last one repeats."""
PROBE_DELAY: Millis = 3 * SECOND
"""The first look at the channels comes after the start, which has better things to do."""
PROBE_INTERVAL: Millis = 5 * MINUTE
END_SECONDS_MAX = 2.0
"""How long the end of the daemon waits for notices that were offered right before."""

UNAVAILABLE = "notifier-unavailable"
"""The problem's code. It is shown in ``status`` and never announced: who could?"""

OnTrouble: TypeAlias = Callable[[str, str | None], None]
"""Told a problem's code and its message, or None when it is over; only when that changes."""

_Act: TypeAlias = Callable[[], Awaitable[Delivery]]

_logger = logging.getLogger(__name__)


class Channels(NamedTuple):
    """The ways to people: ``screens`` stand in for one another, best first; ``command`` is the user's own."""

    screens: tuple[Channel, ...]
    command: Channel | None
    log: Channel

    @property
    def reaching(self) -> tuple[Channel, ...]:
        """Those that reach a person."""
        return self.screens if self.command is None else (*self.screens, self.command)

    @property
    def every(self) -> tuple[Channel, ...]:
        return (*self.reaching, self.log)


class Notifier:
    """Takes notices at any time without waiting, and carries each to the channels in ``run``."""

    def __init__(self, channels: Channels, clock: Clock, zone: tzinfo | None, on_trouble: OnTrouble) -> None:
        """Texts are in ``zone`` (None: the machine's own)."""
        self._channels = channels
        self._clock = clock
        self._zone = zone
        self._on_trouble = on_trouble
        self._trouble: str | None = None
        self._offers: asyncio.Queue[Notice] = asyncio.Queue(OFFERS_MAX)
        self._errands: list[Errand] = []
        self._slots = asyncio.Semaphore(CARRIED_MAX)
        self._health: dict[str, Delivery] = {}
        self._locks: defaultdict[str, asyncio.Lock] = defaultdict(asyncio.Lock)
        self._look = asyncio.Event()
        self.dropped = 0
        """Notices that reached nobody and are not tried again; each is named in the log."""

    def offer(self, notice: Notice) -> None:
        """Take a notice; it is delivered by ``run``."""
        if self._offers.full():
            self._drop(self._take_offer(), "there are too many at once")
        self._offers.put_nowait(notice)

    async def run(self) -> None:
        """Deliver what is offered, for ever."""
        try:
            async with asyncio.TaskGroup() as group:
                group.create_task(self._keep_watch())
                while True:
                    errand = await self._next_errand()
                    group.create_task(self._carry(errand))
        finally:
            for errand in self._errands:
                self._drop(errand.notice, "the notifier ends")
            while not self._offers.empty():
                self._drop(self._take_offer(), "the notifier ends")
            for channel in self._channels.every:
                channel.close()

    async def finish(self) -> None:
        """Let ``run`` attempt once to deliver what was offered, for ``END_SECONDS_MAX`` at most."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(END_SECONDS_MAX):
                await self._offers.join()

    def use(self, channels: Channels) -> None:
        """Deliver through these from now on; what waits for a channel that works is attempted at once."""
        for channel in self._channels.every:
            channel.close()
        self._channels = channels
        self._health.clear()
        self._tell_trouble()
        self._look.set()
        for errand in self._errands:
            errand.wake.set()

    def state(self) -> wire.NotifierReply:
        """The channel that works as far as we know, best first, and what it says."""
        for channel in self._channels.reaching:
            health = self._health.get(channel.name)
            if health is None:
                return {"backend": channel.name, "detail": wire.UNTRIED}
            if health.delivered:
                return {"backend": channel.name, "detail": health.detail}
        return {
            "backend": self._channels.log.name,
            "detail": self._trouble or "no other channel is configured",
        }

    async def probe(self) -> list[wire.ChannelReply]:
        """Whether each channel would deliver a notice now, without sending any."""
        return await self._ask_each(lambda channel: channel.probe)

    async def test(self) -> list[wire.ChannelReply]:
        """Send a test notice through every channel; what each did."""
        words = Words("problem", "quotad: test notice", "This is how quotad tells you.", Urgency.NORMAL)
        said = payload(ProblemNotice("test", words.body, self._clock.now()), words)
        return await self._ask_each(lambda channel: partial(channel.deliver, words, said))

    async def _ask_each(self, act: Callable[[Channel], _Act]) -> list[wire.ChannelReply]:
        async with asyncio.TaskGroup() as group:
            tasks = [
                (channel.name, group.create_task(self._guarded(channel, act(channel))))
                for channel in self._channels.every
            ]
        self._tell_trouble()
        return [
            {"channel": name, "delivered": task.result().delivered, "detail": task.result().detail}
            for name, task in tasks
        ]

    async def _keep_watch(self) -> None:
        """Look at the channels now and then, so that ``status`` knows of a desktop that comes and goes."""
        await pause(self._clock, PROBE_DELAY, self._look)
        while True:
            self._look.clear()
            await self.probe()
            await pause(self._clock, PROBE_INTERVAL, self._look)

    async def _next_errand(self) -> Errand:
        """Take up the next notice, which ends further attempts for older ones of its subject."""
        errand = Errand(await self._offers.get())
        for other in self._errands:
            if other.subject == errand.subject:
                other.finish()
        self._errands.append(errand)
        if self._slots.locked():
            self._make_room()
        await self._slots.acquire()
        return errand

    def _make_room(self) -> None:
        """Give up the oldest notice that waits for another attempt; those under way end by themselves."""
        waiting = next((errand for errand in self._errands if errand.waits), None)
        if waiting is not None:
            waiting.finish()
            self._drop(waiting.notice, "too many wait for a channel that works")

    def _take_offer(self) -> Notice:
        self._offers.task_done()
        return self._offers.get_nowait()

    def _drop(self, notice: Notice, why: str) -> None:
        self.dropped += 1
        title = words_of(notice, self._zone, self._clock.now()).title
        _logger.warning("notice dropped, since %s: %s", why, title)

    async def _carry(self, errand: Errand) -> None:
        """Attempt to deliver one notice until it arrives, is stale, or something newer takes its place."""
        try:
            for length in chain(BACK_OFF, repeat(BACK_OFF[-1])):
                if self._clock.now() >= errand.fresh_until:
                    self._drop(errand.notice, "it is no longer news")
                    return
                if await self._attempt(errand):
                    return
                self._tried(errand)
                errand.waits = True
                await pause(self._clock, length, errand.wake)
                errand.waits = False
                errand.wake.clear()
                if errand.over:
                    return
        except asyncio.CancelledError:
            if not errand.reached:
                self._drop(errand.notice, "the notifier ends")
            raise
        finally:
            self._tried(errand)
            self._errands.remove(errand)
            self._slots.release()

    def _tried(self, errand: Errand) -> None:
        """The first attempt is over: the end of the daemon need not wait for this notice."""
        if not errand.tried:
            errand.tried = True
            self._offers.task_done()

    async def _attempt(self, errand: Errand) -> bool:
        """Whether nothing is left to do for this notice; a channel that hangs does not delay the others."""
        words = words_of(errand.notice, self._zone, self._clock.now())
        said = payload(errand.notice, words)
        screens = self._channels.screens
        command = () if self._channels.command is None else (self._channels.command,)
        async with asyncio.TaskGroup() as group:
            shown = group.create_task(self._first(screens, errand, words, said))
            commanded = group.create_task(self._first(command, errand, words, said))
        self._tell_trouble()
        if shown.result() or commanded.result():
            return True
        await self._first((self._channels.log,), errand, words, said)
        return not (errand.is_open(screens) or errand.is_open(command))

    async def _first(self, channels: Sequence[Channel], errand: Errand, words: Words, said: Payload) -> bool:
        """Try channels that stand in for one another until one delivers; not if one of them may have."""
        if not errand.is_open(channels):
            return False
        for channel in channels:
            delivery = await self._guarded(channel, partial(channel.deliver, words, said))
            if delivery.delivered or delivery.may_have_arrived:
                errand.reached.add(channel.name)
                return delivery.delivered
        return False

    async def _guarded(self, channel: Channel, act: _Act) -> Delivery:
        """One thing at a time on each channel, in the order of asking; whatever it raises is a failure."""
        async with self._locks[channel.name]:
            try:
                delivery = await act()
            except Exception as fault:  # noqa: BLE001 - see below
                # A notice must never harm the daemon, and desktop-notifier, dbus-fast and the desktops behind
                # them raise anything: EOFError, AttributeError, KeyError and their own have been seen.
                delivery = Delivery(delivered=False, detail=f"{type(fault).__name__}: {fault}")
        self._health[channel.name] = delivery
        return delivery

    def _tell_trouble(self) -> None:
        trouble = self._find_trouble()
        if trouble != self._trouble:
            self._trouble = trouble
            self._on_trouble(UNAVAILABLE, trouble)

    def _find_trouble(self) -> str | None:
        """What keeps notices from people: every channel is broken, or the one that the user asked for."""
        broken = {
            channel.name: health.detail
            for channel in self._channels.reaching
            if (health := self._health.get(channel.name)) is not None and not health.delivered
        }
        details = "; ".join(f"{name}: {detail}" for name, detail in broken.items())
        if broken and len(broken) == len(self._channels.reaching):
            return f"notices reach only the log ({details}); a program in [notify] command can carry them"
        if self._channels.command is not None and self._channels.command.name in broken:
            return f"[notify] command does not work ({broken[self._channels.command.name]})"
        return None
