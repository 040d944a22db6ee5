"""Keys, certificates, CMS envelopes and encryption at rest: the only room that knows `cryptography`."""
