"""What proves the trace: its sealing, the ways its heads leave, what auditors are given, what a restore needs."""
