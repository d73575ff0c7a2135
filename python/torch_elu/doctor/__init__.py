"""What ``python -m torch_elu`` runs: ``check`` and ``bench``."""
