"""The HTTP surface: routes of a few lines, wire types, and one renderer for errors."""
