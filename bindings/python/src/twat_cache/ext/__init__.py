"""Adapters for frameworks. Each module imports its framework, so nothing here is imported before it is asked for."""
