"""Settings, logs, health and metrics, which all processes share.

The client imports none of it; it needs the extra `service`.
"""
