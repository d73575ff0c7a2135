"""Programs to start from: `python -m examples.digits` and so on."""
