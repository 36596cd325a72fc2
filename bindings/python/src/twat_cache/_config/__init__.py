"""Options: their checks, where they come from, and the opening of stores by them."""
