"""Notifications of macOS: desktop-notifier's own choice of backend, unless that is the one that does nothing.

Imported only when the first notice is on its way, see ``desktop``.
"""

from __future__ import annotations

from desktop_notifier import Notification, Urgency
from desktop_notifier.backends.base import DesktopNotifierBackend
from desktop_notifier.backends.dummy import DummyNotificationCenter
from desktop_notifier.main import get_backend_class

from quotad.sinks import wording
from quotad.sinks.desktop import NotShownError
from quotad.sinks.wording import Words

_URGENCY = {
    wording.Urgency.LOW: Urgency.Low,
    wording.Urgency.NORMAL: Urgency.Normal,
    wording.Urgency.CRITICAL: Urgency.Critical,
}


def connect() -> NotificationCentre:
    """The notification centre of this platform."""
    return NotificationCentre(get_backend_class()("quotad", None))


class NotificationCentre:
    """The platform's notification centre, as far as this Python may use it."""

    connected = True

    def __init__(self, backend: DesktopNotifierBackend) -> None:
        self._backend = backend

    async def look(self) -> str:
        return await self.rouse()

    async def rouse(self) -> str:
        """Raises ``NotShownError`` where this Python or the user does not allow notifications.

        Outside of a signed app bundle the backend is a dummy, whose every notice "succeeds".
        """
        if isinstance(self._backend, DummyNotificationCenter):
            raise NotShownError("the notification centre takes only signed app bundles, this Python is none")
        if not await self._backend.has_authorisation() and not await self._backend.request_authorisation():
            raise NotShownError("notifications are not allowed in the system settings")
        return "notification centre"

    async def show(self, words: Words) -> None:
        dispatched: list[bool] = []
        notification = Notification(
            words.title,
            words.body,
            urgency=_URGENCY[words.urgency],
            on_dispatched=lambda: dispatched.append(True),
        )
        await self._backend.send(notification)
        # Nobody clicks on our notices, so nothing is kept of them. (The public way also takes the notice
        # off the screen.)
        self._backend._clear_notification_from_cache(notification.identifier)  # noqa: SLF001
        if not dispatched:
            raise NotShownError("the notification centre refused the notice")

    def close(self) -> None:
        """There is no connection."""
