"""The handlers, a file per thing asked for; gateway/api.py lists them all."""
