"""Where usage comes from: files found, followed byte by byte, and their lines decoded into domain values.

A source tells what happened and decides nothing. What it cannot read it counts; the next line is right.
"""
