"""Streams a fixed load through the engine, through Triton and through HTTP, and compares them."""
