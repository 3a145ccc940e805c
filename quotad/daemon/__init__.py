"""The daemon as a whole: built, run and ended on one page, and what each request of a client does."""
