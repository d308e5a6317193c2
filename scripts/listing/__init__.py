"""The models of a running server, or of a repository folder, in a table."""
