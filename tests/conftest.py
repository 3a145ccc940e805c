"""What holds for every test of every room.

Four rules that a green run would otherwise not prove: a test sees none of the user's own files and services;
a test leaves no task behind, and none that died unseen; a test whose program is missing skips and names the
package; and where everything is installed (``CI=true``) a skip is a failure.
"""

from __future__ import annotations

import asyncio
import compileall
import gc
import inspect
import os
import shutil
from collections.abc import AsyncIterator, Generator, Iterator
from pathlib import Path
from typing import TypeAlias

import pytest
from hypothesis import HealthCheck, settings

LoopReport: TypeAlias = dict[str, object]

CHECKOUT = Path(__file__).parents[1]

UNDER_CI = os.environ.get("CI") == "true"

OWN_DIRECTORIES = ("XDG_CACHE_HOME", "XDG_CONFIG_HOME", "XDG_DATA_HOME", "XDG_RUNTIME_DIR", "XDG_STATE_HOME")
OWN_SETTINGS = (
    "CLAUDE_CONFIG_DIR",
    "DBUS_SESSION_BUS_ADDRESS",
    "JOURNAL_STREAM",
    "NO_COLOR",
    "NOTIFY_SOCKET",
    "QUOTAD_CONFIG",
    "QUOTAD_SOCKET",
    "QUOTAD_STATE_DIR",
    "WATCHDOG_PID",
    "WATCHDOG_USEC",
)

# A loaded machine is slow, which is not what a property is about; and examples are no part of the checkout.
settings.register_profile("quick", deadline=None, database=None, max_examples=50)
settings.register_profile(
    "ci",
    deadline=None,
    database=None,
    derandomize=True,
    max_examples=100,
    print_blob=True,
    suppress_health_check=[HealthCheck.too_slow],
)
settings.load_profile("ci" if UNDER_CI else "quick")


@pytest.fixture(scope="session", autouse=True)
def foreign_surroundings(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """The tests and the processes they start see an empty home, and no service of the user who runs them."""
    home = tmp_path_factory.mktemp("home")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("HOME", str(home))
        for name in (*OWN_DIRECTORIES, *OWN_SETTINGS):
            patch.delenv(name, raising=False)
        yield


@pytest.fixture(scope="session", autouse=True)
def bytecode() -> None:
    """The processes that tests start find bytecode, as those of an installed program do; they write none."""
    for package in ("quotad", "quotactl"):
        compileall.compile_dir(CHECKOUT / package, quiet=1)


@pytest.fixture(autouse=True)
def every_task_ends(request: pytest.FixtureRequest) -> None:
    """Every asynchronous test is watched by ``loop_left_clean``; the others pay for no loop."""
    function = getattr(request.node, "obj", None)
    inner = getattr(getattr(function, "hypothesis", None), "inner_test", None)
    if inspect.iscoroutinefunction(function) or inspect.iscoroutinefunction(inner):
        request.getfixturevalue("loop_left_clean")


@pytest.fixture
async def loop_left_clean() -> AsyncIterator[None]:
    """Fails the test that leaves a task running, or in whose loop something went wrong unseen."""
    loop = asyncio.get_running_loop()
    reports: list[str] = []

    def keep(_: asyncio.AbstractEventLoop, report: LoopReport) -> None:
        reports.append(f"{report['message']}: {report.get('exception')!r}")

    loop.set_exception_handler(keep)
    before = asyncio.all_tasks(loop)
    yield
    left = asyncio.all_tasks(loop) - before - {asyncio.current_task()}
    names = [repr(task.get_coro()) for task in left]
    for task in left:
        task.cancel()
    if left:
        await asyncio.wait(left, timeout=1)
        left.clear()
    # A task that died with an error which nobody fetched says so only when it is collected.
    gc.collect()
    if names:
        pytest.fail(f"the test left tasks running: {', '.join(names)}", pytrace=False)
    if reports:
        pytest.fail(f"the event loop reports: {'; '.join(reports)}", pytrace=False)


def pytest_collection_finish() -> None:
    """Keeps the collection after each asynchronous test quick: what is imported by now is left out of it."""
    gc.collect()
    gc.freeze()


def pytest_runtest_setup(item: pytest.Item) -> None:
    """Skips a test marked ``requires(program, package)`` where the program is missing, naming the package."""
    for marker in item.iter_markers("requires"):
        program, package = marker.args
        if shutil.which(program) is None:
            pytest.skip(f"{program} is missing: apt-get install {package}")


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport() -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Under ``CI=true`` everything a test needs is there: a skip is a failure, and says what was missing."""
    report = yield
    if UNDER_CI and report.skipped and not hasattr(report, "wasxfail"):
        report.outcome = "failed"
        report.longrepr = _forbidden(report)
    return report


@pytest.hookimpl(wrapper=True)
def pytest_make_collect_report() -> Generator[None, pytest.CollectReport, pytest.CollectReport]:
    """The same for a whole module that skips itself."""
    report = yield
    if UNDER_CI and report.skipped:
        report.outcome = "failed"
        report.longrepr = _forbidden(report)
    return report


def _forbidden(report: pytest.TestReport | pytest.CollectReport) -> str:
    match report.longrepr:
        case (_, _, str(reason)):
            pass
        case other:
            reason = str(other)
    return f"{report.nodeid} was skipped, which CI=true forbids. {reason}"
