"""Settings, logs, health and metrics, shared by all processes.

This package needs the extra `service`. The client does not import it.
"""
