"""The ledger on disk: every usage call once, for as long as the user keeps it, in one SQLite file.

It outlives the transcripts it was read from. Events and the cursors that cover them are written in one
transaction, so that whatever is killed whenever, what was read is counted once.
"""
