"""What carries effects out: notices to people, snapshots to other programs."""
