"""What quotad thinks: pure values and functions, without I/O, clock or waiting."""
