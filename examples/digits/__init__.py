"""The demo: ELU trained in Python, exported, run and trained again in C++.

Run it from the top of the repository with ``python -m examples.digits``.
"""
