"""Requests that leave connectors during the tests -> held against each platform's own specification."""
