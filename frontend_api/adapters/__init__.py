"""What the ports talk to in production; each library's name appears in its own adapter only."""
