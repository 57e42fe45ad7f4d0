"""Discovery of the ONVIF cameras of a network, by WS-Discovery.

Our own, because the replies are of strangers: the package WSDiscovery says of itself that it does
not verify what it receives from the network.
"""
