"""The wire contract of emotion-streams and the subscriber's client."""

__version__ = "0.1.0"
