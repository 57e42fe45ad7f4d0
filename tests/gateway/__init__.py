"""The real gateway process over a real server, and the live page in a real browser."""
