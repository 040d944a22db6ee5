"""SMTP, both ways: the door by which messages come in, and the client by which they leave.

Neither knows the steps: the door is handed callables, the client is handed bytes that were written down before.
"""
