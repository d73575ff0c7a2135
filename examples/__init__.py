"""What people start from: networks with ELU, each in a script that runs."""
