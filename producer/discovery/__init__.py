"""Discovery of the ONVIF cameras of a network, by WS-Discovery."""
