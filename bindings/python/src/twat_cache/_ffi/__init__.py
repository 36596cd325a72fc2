"""The core library, seen from Python: everything that touches ctypes lives here."""
