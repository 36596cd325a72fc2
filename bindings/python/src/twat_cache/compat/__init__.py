"""What programs written for twat-cache 2.x import."""
