"""The daemon: it knows how much of your Claude Code quota is left, when it comes back, and what to do meanwhile."""
