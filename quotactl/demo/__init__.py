"""``quotactl demo``: a made-up day in twenty seconds, on a stage of its own that is gone afterwards."""
