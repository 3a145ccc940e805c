"""Questions to whoever sits at the terminal. Without one nothing is ever asked."""

from __future__ import annotations

import sys

from quotactl.console import Console


def can_ask(console: Console) -> bool:
    """Whether a person sees what is asked and can type the answer."""
    return console.terminal and sys.stdin is not None and sys.stdin.isatty()


def ask(question: str) -> str:
    """The answer without the spaces around it; empty for Enter. The end of input (Ctrl-D) is a no.

    Raises ``KeyboardInterrupt`` for Ctrl-C.
    """
    try:
        return input(f"{question} ").strip()
    except EOFError:
        sys.stdout.write("\n")
        return "n"
    except UnicodeDecodeError:
        return ""


def is_no(answer: str) -> bool:
    """Whether the answer refuses."""
    return answer.lower() in {"n", "no", "q", "quit"}


def is_yes(answer: str, *, enter: bool) -> bool:
    """Whether the answer agrees; ``enter`` is what Enter alone means."""
    return answer.lower() in {"y", "yes"} if answer else enter
