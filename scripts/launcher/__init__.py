"""Starts Conch on one machine: its environment, Triton and the API, and keeps them running."""
