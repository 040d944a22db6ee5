"""What an operator hands in beside the traffic: tables of practitioners and insurers, certificates and keys."""
