"""What the service is about, in the standard library only: errors, generations, models, SSE."""
