"""`oct bench`: what this machine does, so that operators can size others.

A concentrator of its own in a temporary folder, with throw-away keys and invented practitioners, on 127.0.0.1: the
program as processes, and beside them, as processes of their own so that their CPU is told apart, a load and a sink
that cost little. Everything is bounded in number and in time.
"""
