"""Where readings of the machine come from: one file for each source, each failing on its own."""
