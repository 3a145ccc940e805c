"""The way of a line from a file into the engine and into the ledger on disk."""
