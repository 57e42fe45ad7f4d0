"""A picture to its faces and their emotions."""
