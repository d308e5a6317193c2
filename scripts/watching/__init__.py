"""A running server in a terminal, looked at each second."""
