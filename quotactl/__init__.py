"""The client: it asks the daemon, and shows what it says."""
