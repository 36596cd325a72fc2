"""Memoized functions: wrappers, where results are kept, single flight, and the registry of this program."""
