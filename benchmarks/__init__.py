"""A corpus generator, an independent recount and a benchmark runner, all outside the product.

What measures the daemon imports nothing of ``quotad``: the corpus and the recount are the oracle its counts
are tested against, and the runner measures the installed program the way a user meets it, as a process and a
socket. Only these look inside: ``held``, which times the turns of the loop, and ``decision`` with
``plan_quality``, which ask the domain itself.
"""
