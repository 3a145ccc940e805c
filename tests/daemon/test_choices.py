"""What settings mean to the parts."""

from __future__ import annotations

from pathlib import Path

from quotad import wire
from quotad.daemon.choices import places_of, policy_of
from quotad.domain.instant import HOUR
from quotad.domain.policy import FIVE_HOUR, Policy, WindowSpec
from quotad.settings import ExtraWindow, Settings, load

ROOT, OTHER, STATE = Path("/home/ana/.claude"), Path("/home/ana/.claude-work"), Path("/state")


def chosen(**values: object) -> Settings:
    """Settings of a user with two accounts."""
    logs = (*(root / "logs" / "sessions.jsonl" for root in (ROOT, OTHER)), STATE / "sessions.jsonl")
    return Settings(Path("/config.toml"), (ROOT, OTHER), logs, **values)  # type: ignore[arg-type]


def test_each_session_log_belongs_to_one_account() -> None:
    """The one in an account's directory to that account, ours to the first; rotated ones with them."""
    first, second = places_of(chosen(), {"HOME": "/home/ana"})
    assert {
        ROOT / "logs" / "sessions.jsonl",
        ROOT / "logs" / "sessions.jsonl.1",
        STATE / "sessions.jsonl",
        STATE / "sessions.jsonl.1",
    } == set(first.session_logs)
    assert {OTHER / "logs" / "sessions.jsonl", OTHER / "logs" / "sessions.jsonl.1"} == set(
        second.session_logs
    )


def test_the_second_place_for_transcripts_belongs_to_the_first_account() -> None:
    """Claude Code once kept transcripts under the configuration directory."""
    first, second = places_of(chosen(), {"HOME": "/home/ana"})
    assert (ROOT / "projects", Path("/home/ana/.config/claude/projects")) == first.transcripts
    assert (OTHER / "projects",) == second.transcripts


def test_a_root_of_its_own_is_no_second_place() -> None:
    """Who names that directory as an account has it counted once, as that account."""
    first, _ = places_of(chosen(), {"HOME": "/home/ana", "XDG_CONFIG_HOME": str(OTHER.parent)})
    assert 2 == len(first.transcripts)
    settings = Settings(Path("/config.toml"), (ROOT, Path("/home/ana/.config/claude")), ())
    assert (ROOT / "projects",) == places_of(settings, {"HOME": "/home/ana"})[0].transcripts


def test_without_settings_the_policy_is_the_domains_own(tmp_path: Path) -> None:
    """Defaults stand once."""
    paths = wire.Paths(tmp_path, tmp_path / "config.toml", tmp_path, tmp_path / "q.sock")
    assert Policy() == policy_of(load(paths))


def test_a_limit_goes_before_the_plans() -> None:
    """The plan is a label, the limit is known better; further windows keep their own."""
    policy = policy_of(chosen(plan="team", limit=88_000, windows=(ExtraWindow("quarter", 0.25, 7),)))
    assert (WindowSpec(FIVE_HOUR, 5 * HOUR, 88_000), WindowSpec("quarter", HOUR // 4, 7)) == policy.windows
    assert 500_000 == policy_of(chosen(plan="team")).windows[0].limit


def test_each_account_has_its_own_cached_usage() -> None:
    """Without CLAUDE_CONFIG_DIR it lies beside Claude Code's directory: that is no other account's."""
    first, second = places_of(chosen(), {"HOME": "/home/ana"})
    assert (ROOT / ".claude.json", Path("/home/ana/.claude.json")) == first.usage_caches
    assert (OTHER / ".claude.json",) == second.usage_caches
