"""Documentation: pages written by hand, and those that `python -m docs.generate` writes from the code."""
