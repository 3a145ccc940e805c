"""The daemon: it knows how much of your quota is left, when it comes back, and what to do meanwhile."""
