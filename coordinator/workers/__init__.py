"""Thin loops around the services."""
