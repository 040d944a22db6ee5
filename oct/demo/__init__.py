"""A whole concentrator at work on one machine, with simulated practitioners and insurers around it: `oct demo`."""
