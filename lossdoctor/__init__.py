"""lossdoctor finds out why a composite loss will not train."""

__version__ = "0.1.0"
