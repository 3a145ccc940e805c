"""Our files on a real calendar server: taken as they are, updated and never doubled, struck out."""

from __future__ import annotations

import base64
import http.client
import re
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from typing import NamedTuple

import pytest

from quotad.domain.event import EventRow
from quotad.domain.instant import HOUR, MINUTE
from quotad.domain.queue import Planned
from quotad.sinks.calendar import cancelled, confirmed, event_text, feed_of, file_of
from tests.sinks.events import BOOKED, booked, read, uid
from tests.sinks.notices import NOW

START_SECONDS = 30.0
STOP_SECONDS = 10.0
ANSWER_SECONDS = 20.0
POLL_SECONDS = 0.02
PORTS_TRIED = 5

COLLECTION = "/ana/sessions/"
LOGIN = {"Authorization": f"Basic {base64.b64encode(b'ana:any').decode()}"}
"""The server believes everybody; who logs in has a place there."""
MKCALENDAR = b"""<?xml version="1.0" encoding="utf-8"?>
<C:mkcalendar xmlns:D="DAV:" xmlns:C="urn:ietf:params:xml:ns:caldav"><D:set><D:prop>
<D:displayname>Sessions</D:displayname>
<C:supported-calendar-component-set><C:comp name="VEVENT"/></C:supported-calendar-component-set>
</D:prop></D:set></C:mkcalendar>"""
QUERY = b"""<?xml version="1.0" encoding="utf-8"?>
<C:calendar-query xmlns:D="DAV:" xmlns:C="urn:ietf:params:xml:ns:caldav">
<D:prop><D:getetag/></D:prop><C:filter><C:comp-filter name="VCALENDAR"><C:comp-filter name="VEVENT">
<C:time-range start="%s" end="%s"/></C:comp-filter></C:comp-filter></C:filter></C:calendar-query>"""


class Answer(NamedTuple):
    """What a server said."""

    status: int
    etag: str
    body: bytes


class Server:
    """Radicale on loopback, a process of its own with one calendar."""

    def __init__(self, port: int) -> None:
        self.port = port

    def request(self, method: str, path: str, body: bytes = b"", **headers: str) -> Answer:
        """``If_Match`` is the header If-Match."""
        line = http.client.HTTPConnection("127.0.0.1", self.port, timeout=ANSWER_SECONDS)
        try:
            named = {name.replace("_", "-"): value for name, value in headers.items()} | LOGIN
            line.request(method, path, body, named)
            answer = line.getresponse()
            return Answer(answer.status, answer.getheader("ETag", ""), answer.read())
        finally:
            line.close()

    def put(self, file: bytes, name: str = "auth-api", **headers: str) -> Answer:
        """One of our files, as any client would put it."""
        path = f"{COLLECTION}{name}.ics"
        return self.request("PUT", path, file, Content_Type="text/calendar; charset=utf-8", **headers)

    def collection(self) -> bytes:
        """All that is in the calendar, which is also what a subscriber gets."""
        return self.request("GET", COLLECTION).body

    def between(self, begin: bytes, end: bytes) -> list[bytes]:
        """The hrefs of the events in ``[begin, end)``, as the server understands their times."""
        answer = self.request("REPORT", COLLECTION, QUERY % (begin, end), Depth="1", Content_Type="text/xml")
        assert 207 == answer.status
        return re.findall(rb"<href>([^<]*\.ics)</href>", answer.body)


def free_port() -> int:
    """One that nobody has, for the moment."""
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1])


def is_up(process: subprocess.Popen[bytes], port: int) -> bool:
    """Whether it listens; False when it ended before, as when somebody was quicker with the port."""
    deadline = time.monotonic() + START_SECONDS
    while process.poll() is None and time.monotonic() < deadline:
        try:
            socket.create_connection(("127.0.0.1", port), 1).close()
        except OSError:
            time.sleep(POLL_SECONDS)  # noqa: TID251 - it polls, with a deadline
        else:
            return process.poll() is None
    return False


def stop(process: subprocess.Popen[bytes]) -> None:
    """Returns when it has ended."""
    process.terminate()
    try:
        process.wait(STOP_SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


@pytest.fixture(scope="module")
def radicale(tmp_path_factory: pytest.TempPathFactory) -> Iterator[int]:
    """The port of a server that runs for this module."""
    place = tmp_path_factory.mktemp("radicale")
    for _ in range(PORTS_TRIED):
        port = free_port()
        command = [
            *(sys.executable, "-m", "radicale", "--config", ""),
            *("--server-hosts", f"127.0.0.1:{port}", "--auth-type", "none"),
            *("--storage-filesystem-folder", str(place / "collections")),
        ]
        with (place / "stderr.log").open("ab") as said:
            process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=said, stderr=said)
        try:
            if is_up(process, port):
                yield port
                return
        finally:
            stop(process)
    pytest.fail(f"Radicale did not start: {(place / 'stderr.log').read_text()}")


@pytest.fixture
def server(radicale: int) -> Server:
    """The server with an empty calendar."""
    one = Server(radicale)
    one.request("DELETE", COLLECTION)
    assert 201 == one.request("MKCALENDAR", COLLECTION, MKCALENDAR).status
    return one


def file(row: EventRow, planned: Planned | None = None) -> bytes:
    """The file of one event."""
    return file_of(row, event_text(row, planned))


ROW = confirmed(BOOKED, None, NOW, uid)
MOVED = booked(scheduled_for=NOW + 24 * HOUR)
LATER = confirmed(MOVED, ROW, NOW + MINUTE)
OFF = cancelled(LATER, NOW + HOUR)


def test_a_new_event_is_taken_as_it_is(server: Server) -> None:
    """Times, text and reminders come back as they went in."""
    assert 201 == server.put(file(ROW, BOOKED), If_None_Match="*").status
    ours = read(file(ROW, BOOKED)).vevent
    theirs = read(server.request("GET", f"{COLLECTION}auth-api.ics").body).vevent
    for name in (
        "uid",
        "sequence",
        "dtstart",
        "dtend",
        "summary",
        "description",
        "status",
        "transp",
        "dtstamp",
    ):
        assert getattr(ours, name).value == getattr(theirs, name).value
    assert 2 == len(theirs.valarm_list)
    assert 1 == len(server.between(b"20261122T130000Z", b"20261122T133000Z"))


def test_a_move_updates_the_event_and_doubles_nothing(server: Server) -> None:
    """One event, at its new time, under the name and UID it had."""
    first = server.put(file(ROW, BOOKED))
    second = server.put(file(LATER, MOVED), If_Match=first.etag)
    assert {201, 204} >= {second.status}
    assert second.etag != first.etag
    (event,) = read(server.collection()).vevent_list
    assert (ROW.uid, "1") == (event.uid.value, event.sequence.value)
    assert [] == server.between(b"20261122T130000Z", b"20261122T153000Z")
    assert [f"{COLLECTION}auth-api.ics".encode()] == server.between(b"20261123T100000Z", b"20261123T103000Z")


def test_an_event_of_the_same_uid_is_refused_under_another_name(server: Server) -> None:
    """So a stable UID is what keeps a calendar from doubling it (RFC 4791, 5.3.2.1)."""
    server.put(file(ROW, BOOKED))
    assert 409 == server.put(file(LATER, MOVED), "another").status
    assert 1 == len(read(server.collection()).vevent_list)


def test_the_same_file_again_changes_nothing(server: Server) -> None:
    """The server's own mark of the version stays."""
    first = server.put(file(ROW, BOOKED))
    assert first.etag
    assert first.etag == server.put(file(ROW, BOOKED)).etag


def test_a_cancelled_event_is_struck_out(server: Server) -> None:
    """It stays the same event, without reminders."""
    server.put(file(ROW, BOOKED))
    server.put(file(LATER, MOVED))
    assert {201, 204} >= {server.put(file(OFF)).status}
    (event,) = read(server.collection()).vevent_list
    assert (ROW.uid, "2", "CANCELLED") == (event.uid.value, event.sequence.value, event.status.value)
    assert not hasattr(event, "valarm")


def test_booked_again_it_takes_place_again(server: Server) -> None:
    """Still the same event."""
    server.put(file(OFF))
    again = confirmed(MOVED, OFF, NOW + 2 * HOUR)
    assert {201, 204} >= {server.put(file(again, MOVED)).status}
    (event,) = read(server.collection()).vevent_list
    assert ("3", "CONFIRMED") == (event.sequence.value, event.status.value)


def feed(*events: tuple[EventRow, Planned | None]) -> bytes:
    """The file with all of them."""
    return feed_of([row for row, _ in events], [event_text(row, planned) for row, planned in events])


def test_the_file_with_all_events_is_a_whole_calendar(server: Server) -> None:
    """Put in place of the calendar, and again after a change: each event stands there once."""
    other = booked(id="migrate-db", scheduled_for=NOW + 5 * HOUR)
    other_row = confirmed(other, None, NOW)
    for row, planned in ((ROW, BOOKED), (LATER, MOVED), (OFF, None)):
        content = feed((row, planned), (other_row, other))
        answer = server.request("PUT", COLLECTION, content, Content_Type="text/calendar")
        assert {201, 204} >= {answer.status}
        events = {event.uid.value: event for event in read(server.collection()).vevent_list}
        assert {ROW.uid, other_row.uid} == set(events)
        assert str(row.sequence) == events[ROW.uid].sequence.value
