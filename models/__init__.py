"""What is computed, in pure Python and numpy: no broker, event loop, clock or environment. Imports schemas."""
