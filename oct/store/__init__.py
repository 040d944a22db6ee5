"""The database: the truth and the queue. Every unit of work is a row with a state and a due time."""
