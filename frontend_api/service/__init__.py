"""The use cases: one path for every dialect, admit → generate → account."""
