"""Turns clicks, orders, costs and platform readings into rows that credit and value are computed from."""
