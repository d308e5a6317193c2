"""Writes the dashboards of docker/grafana from a table."""
