"""Engines that classify face crops, behind one Protocol."""
