"""The hosted mailboxes' door: POP3 with TLS (RFC 1939, 2449, 2595, 5034). What stands behind it is handed in."""
