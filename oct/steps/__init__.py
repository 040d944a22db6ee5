"""The journey of a message, one module a step; what steps are made of, and what stands beside them, in folders."""
