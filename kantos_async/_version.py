"""The version, as the wheel's metadata has it."""

__version__ = "0.1.0"
