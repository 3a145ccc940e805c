"""Every method of the socket with its parameters, and every result: what the daemon needs, and no client."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple, TypeAlias

from quotad import wire
from quotad.wire import planning

METHODS: Mapping[str, type[NamedTuple]] = {
    "hello": wire.NoParams,
    "status": wire.NoParams,
    "sync": wire.SyncParams,
    "subscribe": wire.NoParams,
    "history": wire.HistoryParams,
    "doctor": wire.NoParams,
    "notify.test": wire.NoParams,
    "reload": wire.NoParams,
    "shutdown": wire.NoParams,
    "queue.list": wire.NoParams,
    "queue.show": planning.IdParams,
    "queue.add": planning.AddParams,
    "queue.edit": planning.EditParams,
    "queue.remove": planning.RemoveParams,
    "queue.done": planning.IdParams,
    "queue.import": planning.ImportParams,
    "queue.export": wire.NoParams,
    "next": planning.NextParams,
    "start": planning.StartParams,
    "release": planning.ReleaseParams,
    "schedule": planning.ScheduleParams,
    "unschedule": planning.IdParams,
    "plan": wire.NoParams,
    "calendar.export": planning.CalendarExportParams,
    "calendar.list": wire.NoParams,
    "statusline": wire.StatusLineParams,
    "hook": wire.HookParams,
    "limit-hit": wire.LimitHitParams,
}

Result: TypeAlias = """
    wire.Hello
    | wire.StatusReply
    | wire.StatusChange
    | wire.SyncReply
    | list[wire.HistoryRow]
    | wire.DoctorReply
    | wire.NotifyTestReply
    | wire.LineReply
    | wire.HookReply
    | wire.Exported
    | wire.LimitHitReply
    | wire.Done
    | planning.QueueListReply
    | planning.QueueShowReply
    | planning.PlannedReply
    | planning.ImportReply
    | planning.DecisionReply
    | planning.ScheduledReply
    | planning.PlanReply
    | planning.CalendarReply
"""
