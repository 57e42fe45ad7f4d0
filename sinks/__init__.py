"""Delivery of episodes, minutes, events and camera states to MQTT, webhooks and SQL databases."""
