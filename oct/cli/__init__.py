"""The command line: one file per noun. What it prints is French; exit codes are 0 done, 1 does not hold, 2 wrong use."""
