"""Simulated instruments and device physics, found by their names through labctl.plugins."""
