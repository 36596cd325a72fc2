"""What tells functions and calls apart: names of functions, state that they captured, keys of arguments."""
