"""Practitioners' software and insurers, simulated: for the demonstration, the tests, and an operator trying a set-up.

They share no opening, parsing or sealing code with the concentrator, so that each can be wrong alone.
"""
