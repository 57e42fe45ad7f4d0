"""The files under deploy/, given to the programs that will read them."""
