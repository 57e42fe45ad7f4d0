"""Deployment: the local launcher, images, compose, Helm chart and dashboards."""
