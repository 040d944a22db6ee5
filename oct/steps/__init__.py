"""The journey of a message, one module a step; the parts of `process` and of `deliver` have folders of their own."""
