"""The commands of `hellotext-vtex`, one file for each group."""
