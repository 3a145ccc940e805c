"""A corpus generator, an independent recount and a benchmark runner, all outside the product.

Nothing here imports ``quotad``: the corpus and the recount are the oracle its counts are tested against,
and the runner measures the installed program the way a user meets it, as a process and a socket.
"""
