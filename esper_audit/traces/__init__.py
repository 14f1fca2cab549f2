"""Structured trace logs of torch (``TORCH_TRACE``), read without torch and made into recordings."""
