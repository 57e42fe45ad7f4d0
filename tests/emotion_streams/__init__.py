"""Tests of the wire contract and the client."""
