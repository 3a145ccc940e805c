"""The planned sessions as people write them: the queue file, and task lists in Markdown."""
