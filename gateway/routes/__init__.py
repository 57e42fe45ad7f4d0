"""The handlers, one file per resource; gateway/api.py lists all of them."""
