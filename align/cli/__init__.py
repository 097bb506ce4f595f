"""The command line: its entry, its words, and what it prints; commands/ holds the subcommands."""
