"""quotad inside Claude Code: slash commands, hooks and status line, put in and taken out again."""
