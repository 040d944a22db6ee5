"""Celery, and nothing else: hands identifiers of messages to processes that open them. The database stays the queue."""
