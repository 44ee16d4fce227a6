"""Local Corporate AI Assistant: answers from a company's own documents, on its own machine."""

__version__ = "0.1.0"
