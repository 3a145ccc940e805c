"""The socket: who may ask, how questions are read and answered, and who is told of changes."""
