"""What the processes share: settings, logs, health and metrics. The client imports none of it; it
needs the extra `service`."""
