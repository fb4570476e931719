"""One file that holds everything an installation cannot rebuild, and the way back from it."""
