"""How the steps are worked through in a process: claims by batch, and what is left when something dies or is away."""
